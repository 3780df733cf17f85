function __mqtt-fs-worker_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __mqtt-fs-worker_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __mqtt-fs-worker_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __mqtt-fs-worker_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __mqtt-fs-worker_parse_tokens -S
    set -l unparsed_tokens (__mqtt-fs-worker_tokens -pc)
    switch $unparsed_tokens[1]
    case 'mqtt-fs-worker'
        __mqtt-fs-worker_parse_subcommand 0 'h/help'
        switch $unparsed_tokens[1]
        case 'work'
            __mqtt-fs-worker_parse_subcommand 0 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'i/id=' 'j/jobs-dir=' 'w/workspaces-dir=' 't/topic=' 'r/results-topic=' 'clean' 'session-expiry=' 'no-retain' 'o/timeout=' 'grace=' 'lease=' 'max-attempts=' 'require-approval' 'max-log-bytes=' 'publish-logs' 'verify-key=' 'heartbeat=' 'redact=+' 'idle-timeout=' 'jobs=' 'log-level=' 'log-format=' 'dry-run' 'payload=' 'V/version' 'h/help'
        case 'check'
            __mqtt-fs-worker_parse_subcommand 1 'h/help'
        case 'submit'
            __mqtt-fs-worker_parse_subcommand 1 'id=' 'o/timeout=' 'd/detach' 'json' 'no-volume' 't/topic=' 'sign-key=' 'kid=' 'aud=+' 'expires=' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'jobs'
            __mqtt-fs-worker_parse_subcommand 0 'state=+' 'last=' 'json' 'j/jobs-dir=' 'h/help'
        case 'status'
            __mqtt-fs-worker_parse_subcommand 1 'json' 'j/jobs-dir=' 'h/help'
        case 'logs'
            __mqtt-fs-worker_parse_subcommand 1 'f/follow' 's/step=' 'j/jobs-dir=' 'h/help'
        case 'cancel'
            __mqtt-fs-worker_parse_subcommand 1 'wait' 'json' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'approve'
            __mqtt-fs-worker_parse_subcommand 1 'reject' 'reason=' 'by=' 'digest=' 'y/yes' 'j/jobs-dir=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'sign'
            __mqtt-fs-worker_parse_subcommand 1 'key=' 'kid=' 'aud=+' 'expires=' 'id=' 'request-id=' 'step=+' 'env=+' 'timeout=' 'h/help'
        case 'workers'
            __mqtt-fs-worker_parse_subcommand 0 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'json' 'watch' 'wait=' 'h/help'
        case 'health'
            __mqtt-fs-worker_parse_subcommand 0 'i/id=' 'w/workspaces-dir=' 'wait=' 'json' 'h/help'
        case 'doctor'
            __mqtt-fs-worker_parse_subcommand 1 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'j/jobs-dir=' 'w/workspaces-dir=' 't/topic=' 'r/results-topic=' 'json' 'h/help'
        case 'help'
            __mqtt-fs-worker_parse_subcommand -r 1 
        end
    end
end

function __mqtt-fs-worker_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __mqtt-fs-worker_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __mqtt-fs-worker_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __mqtt-fs-worker_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__mqtt-fs-worker_tokens -p)
    if test -z "$(__mqtt-fs-worker_tokens -t)"
        set -l index (count (__mqtt-fs-worker_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'mqtt-fs-worker' -f
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'work' -d 'Takes one job id from MQTT, runs the job\'s steps, publishes the result, and exits.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'check' -d 'Says what is wrong with a job folder before its id is sent; exit status 65 if something is.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'submit' -d 'Puts a job on the volume, asks for it to be run, shows its output, and exits with its exit code.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'jobs' -d 'Lists the jobs on the volume: running, queued, awaiting approval, pending, and finished.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'status' -d 'Says how a job is: who has it, or how it ended, step by step. Exit status 66 if there is none.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'logs' -d 'Prints what the steps of a job wrote, byte for byte. Exit status 66 if there is no such job.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'cancel' -d 'Asks the worker that has a job to end it: TERM, the worker\'s grace, KILL. What there is comes back.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'approve' -d 'Approves a request that waits for it, or rejects it. Without an id, lists what waits.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'sign' -d 'Makes a signed request for a job folder, and writes it on stdout.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'workers' -d 'Lists the workers that are there, and those that were lost.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'health' -d 'Says whether this host\'s, or this container\'s, worker is well; exit status 1 if it is not.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'doctor' -d 'Says whether the broker and the volume do what workers rely on; exit status 1 if they do not.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" i id' -l 'id' -s 'i' -d 'This worker\'s id, and the client id of its session; %h becomes the host name. (WORKER_ID; default: worker-01)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" t topic' -l 'topic' -s 't' -d 'Where requests arrive; \'$share/<group>/<filter>\' to share them. (MQTT_TOPIC; default: jobs/pending)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" clean' -l 'clean' -d 'Keep no session between lives. The default loses nothing, this may. (MQTT_CLEAN)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" session-expiry' -l 'session-expiry' -d 'How long the broker keeps the session of a worker that is away. (MQTT_SESSION_EXPIRY; default: 7d)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" no-retain' -l 'no-retain' -d 'Do not have the broker keep results for those who come late. (MQTT_NO_RETAIN)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" o timeout' -s 'o' -l 'timeout' -d 'Ends a job that takes longer. (JOB_TIMEOUT; default: none)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" grace' -l 'grace' -d 'From TERM to KILL. (JOB_GRACE; default: 10s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" lease' -l 'lease' -d 'A worker that does not touch its claim for this long counts as dead. (JOB_LEASE; default: 30s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" max-attempts' -l 'max-attempts' -d 'How many workers may die over a job until it is given up. (JOB_MAX_ATTEMPTS; default: 3)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" require-approval' -l 'require-approval' -d 'Begin a job only when somebody has approved its request with \'mqtt-fs-worker approve\'. (JOB_REQUIRE_APPROVAL)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" max-log-bytes' -l 'max-log-bytes' -d 'How much of a step\'s output is kept: the first and the last half. (JOB_MAX_LOG_BYTES; default: 104857600)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" publish-logs' -l 'publish-logs' -d 'Publish what steps write on <beside the results topic>/logs/<id>/<step>, too. (WORKER_PUBLISH_LOGS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" verify-key' -l 'verify-key' -d 'Take only requests that are signed with this key: PEM, a JWK or JWK set, or hs256:<secret>. (JOB_VERIFY_KEY)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" heartbeat' -l 'heartbeat' -d 'How often the worker says how it is, on workers/<id>/status. (WORKER_HEARTBEAT; default: 15s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work"' -l 'redact' -d 'A variable whose value is masked as *** in logs and results; may be repeated. (JOB_REDACT, separated by commas)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" idle-timeout' -l 'idle-timeout' -d 'Exit after this long without a job. (WORKER_IDLE_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" jobs' -l 'jobs' -d 'Take this many jobs, one after the other; 0 for no end. (WORKER_JOBS; default: 1)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" dry-run' -l 'dry-run' -d 'Without MQTT: run the request in --payload, print its result message.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" payload' -l 'payload' -d 'The request of a dry run. (default: ./test-payload.json)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" V version' -s 'V' -l 'version' -d 'Show the version.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker check" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker submit" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" id' -l 'id' -d 'The job\'s id. (default: the folder\'s name)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" o timeout' -s 'o' -l 'timeout' -d 'Ends the job if it takes longer; if no worker has taken it after as long, it is withdrawn.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" d detach' -l 'detach' -s 'd' -d 'Exit when the broker has the request; prints the id.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" json' -l 'json' -d 'Print the result message on stdout; the job\'s output goes to stderr.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" no-volume' -l 'no-volume' -d 'There is no common volume: send the steps of job.json in the request. Nothing else may be in the folder.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" t topic' -l 'topic' -s 't' -d 'Where workers take requests. (MQTT_TOPIC; default: jobs/pending)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" sign-key' -l 'sign-key' -d 'Sign the request with this key, for workers with --verify-key; see \'sign\'.' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" kid' -l 'kid' -d 'The key\'s name in a set of keys. (default: that of the JWK)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit"' -l 'aud' -d 'A worker, or group of workers, that a signed request is for.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" expires' -l 'expires' -d 'How long a signed request may be begun. (default: 1h)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" r results-topic' -l 'results-topic' -s 'r' -d 'Results come on <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs"' -l 'state' -d 'Only jobs in this state; may be repeated.' -rfka 'running queued awaiting-approval pending finished'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" last' -l 'last' -d 'At most so many finished jobs.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" json' -l 'json' -d 'Print a JSON array.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker status" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion status -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" json' -l 'json' -d 'Print JSON: what \'jobs --json\' has of the job, and with a result all of result.json.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker logs" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion logs -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" f follow' -l 'follow' -s 'f' -d 'Go on until the job has ended; wait for it to begin.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" s step' -l 'step' -s 's' -d 'Only this step, from 0.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker cancel" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion cancel -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" wait' -l 'wait' -d 'Wait for the job\'s end.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" json' -l 'json' -d 'Print the result message, once it has ended. Goes with --wait.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" r results-topic' -l 'results-topic' -s 'r' -d 'Results come on <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" reject' -l 'reject' -d 'Reject it: it is not run, and its sender is told so.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" reason' -l 'reason' -d 'Why; goes into the audit log, and to the sender of a rejected request.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" by' -l 'by' -d 'Who decides. (default: the user and the host)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" digest' -l 'digest' -d 'Only if this is the request\'s digest, as the event awaiting-approval told it.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" y yes' -l 'yes' -s 'y' -d 'Do not ask.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker sign" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" key' -l 'key' -d 'The key to sign with: Ed25519 (PEM or JWK with its private part), or hs256: and a secret of 32 bytes or more.' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" kid' -l 'kid' -d 'The key\'s name in a set of keys. (default: that of the JWK)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'aud' -d 'A worker, or a group of workers, that may run it; may be repeated. (default: any)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" expires' -l 'expires' -d 'How long it may be begun. (default: 1h)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" id' -l 'id' -d 'The job\'s id. (default: the folder\'s name)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" request-id' -l 'request-id' -d 'What tells it from other requests: it is run once. (default: a random one)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'step' -d 'A command to run instead of the steps in job.json; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'env' -d 'A variable for all steps; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" timeout' -l 'timeout' -d 'Ends the job when it takes longer.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" json' -l 'json' -d 'Print a JSON array; with --watch, one line for each change.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" watch' -l 'watch' -d 'Go on, and show what changes.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" wait' -l 'wait' -d 'How long to wait for answers. (default: 2s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" i id' -l 'id' -s 'i' -d 'The worker\'s id. (WORKER_ID; default: worker-01)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where its steps run. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" wait' -l 'wait' -d 'How long to wait for the answer, or for a process that starts. (default: 3s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" json' -l 'json' -d 'Print what the worker says as JSON.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker doctor" -eq 1' -fka 'broker volume all'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" p password' -l 'password' -s 'p' -d 'Password; others can see it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" tls' -l 'tls' -d 'Use TLS; mqtts:// does, too. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" client-id-prefix' -l 'client-id-prefix' -d 'Put before the client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" t topic' -l 'topic' -s 't' -d 'The topic below which it publishes and subscribes. (default: doctor-<random> beside the results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" r results-topic' -l 'results-topic' -s 'r' -d 'The results topic. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" json' -l 'json' -d 'Print the findings as JSON.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
