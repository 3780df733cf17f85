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
            __mqtt-fs-worker_parse_subcommand 0 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'i/id=' 'j/jobs-dir=' 'w/workspaces-dir=' 't/topic=+' 'cache-dir=' 'cache-size=' 'r/results-topic=' 'clean' 'session-expiry=' 'queue-interval=' 'retain=' 'no-retain' 'o/timeout=' 'grace=' 'on-term=' 'lease=' 'max-attempts=' 'require-approval' 'max-log-bytes=' 'publish-logs' 'verify-key=' 'heartbeat=' 'redact=+' 'idle-timeout=' 'jobs=' 'log-level=' 'log-format=' 'dry-run' 'payload=' 'V/version' 'h/help'
        case 'check'
            __mqtt-fs-worker_parse_subcommand 1 'h/help'
        case 'submit'
            __mqtt-fs-worker_parse_subcommand 1 'id=' 'env=+' 'step=+' 'exclude=+' 'new-id' 'replace' 'retry' 'dry-run' 'no-volume' 'o/timeout=' 'd/detach' 'json' 't/topic=' 'sign-key=' 'kid=' 'aud=+' 'expires=' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'retry'
            __mqtt-fs-worker_parse_subcommand 1 'env=+' 'step=+' 'o/timeout=' 'd/detach' 'json' 't/topic=' 'sign-key=' 'kid=' 'aud=+' 'expires=' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'run'
            __mqtt-fs-worker_parse_subcommand 1 'env=+' 'step=+' 'o/timeout=' 'keep' 'log-level=' 'log-format=' 'h/help'
        case 'jobs'
            __mqtt-fs-worker_parse_subcommand 0 'state=+' 'status=+' 'last=' 'json' 'metrics' 'j/jobs-dir=' 'h/help'
        case 'status'
            __mqtt-fs-worker_parse_subcommand 1 'json' 'j/jobs-dir=' 'h/help'
        case 'logs'
            __mqtt-fs-worker_parse_subcommand 1 'f/follow' 's/step=' 'j/jobs-dir=' 'h/help'
        case 'cancel'
            __mqtt-fs-worker_parse_subcommand 1 'next' 'wait' 'json' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'approve'
            __mqtt-fs-worker_parse_subcommand 1 'reject' 'reason=' 'by=' 'digest=' 'y/yes' 'j/jobs-dir=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'sign'
            __mqtt-fs-worker_parse_subcommand 1 'key=' 'kid=' 'aud=+' 'expires=' 'id=' 'request-id=' 'env=+' 'step=+' 'timeout=' 'h/help'
        case 'workers'
            __mqtt-fs-worker_parse_subcommand 0 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'json' 'watch' 'wait=' 'h/help'
        case 'drain'
            __mqtt-fs-worker_parse_subcommand 1 'wait=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'prune'
            __mqtt-fs-worker_parse_subcommand 0 'older-than=' 'keep-last=' 'status=' 'previous-only' 'dry-run' 'clear-retained' 'y/yes' 'j/jobs-dir=' 'r/results-topic=' 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'h/help'
        case 'cache'
            __mqtt-fs-worker_parse_subcommand 0 'h/help'
            switch $unparsed_tokens[1]
            case 'list'
                __mqtt-fs-worker_parse_subcommand 0 'json' 'cache-dir=' 'cache-size=' 'w/workspaces-dir=' 'h/help'
            case 'remove'
                __mqtt-fs-worker_parse_subcommand -r 1 'all' 'cache-dir=' 'cache-size=' 'w/workspaces-dir=' 'h/help'
            end
        case 'health'
            __mqtt-fs-worker_parse_subcommand 0 'i/id=' 'w/workspaces-dir=' 'wait=' 'json' 'h/help'
        case 'doctor'
            __mqtt-fs-worker_parse_subcommand 1 'u/url=' 'n/username=' 'p/password=' 'password-file=' 'v/protocol-version=' 'tls' 'ca-certs=' 'certfile=' 'keyfile=' 'client-id-prefix=' 'connect-timeout=' 'log-level=' 'log-format=' 'j/jobs-dir=' 'w/workspaces-dir=' 't/topic=' 'r/results-topic=' 'session-expiry=' 'other-mount=' 'json' 'h/help'
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
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'check' -d 'Checks a job folder before its id is sent, and prints all its errors; exit status 65 if there are any.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'submit' -d 'Copies a job to the volume, sends its request, shows its output, and exits with its exit code.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'retry' -d 'Runs a finished job again with the files that are on the volume, and follows it as \'submit\' does.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'run' -d 'Runs a job folder on this machine, with its output, and exits with the job\'s exit code.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'jobs' -d 'Lists the jobs on the volume: running, queued, awaiting approval, pending, and finished.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'status' -d 'Shows a job: its worker, or its result step by step. Exit status 66 if there is no such job.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'logs' -d 'Prints the output of a job\'s steps, byte for byte. Exit status 66 if there is no such job or step.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'cancel' -d 'Asks the worker of a job to end it: TERM, the worker\'s grace, KILL. Changed files still come back.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'approve' -d 'Approves or rejects a request that waits for approval. Without an id, lists these requests.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'sign' -d 'Makes a signed request for a job folder, and writes it on stdout.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'workers' -d 'Lists the live workers and those that were lost.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'drain' -d 'Tells a worker, or all, to leave: an idle one at once, a busy one when its job has ended.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'prune' -d 'Removes finished jobs from the volume: the whole folder of each, with its sources and results.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'cache' -d 'Lists or removes the caches that this host keeps between jobs.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'health' -d 'Checks whether the worker on this host, or in this container, is healthy; exit status 1 if not.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'doctor' -d 'Tests whether the broker and the volume have the properties that workers need; exit status 1 if not.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" i id' -l 'id' -s 'i' -d 'The worker\'s id, also the client id of its session; %h stands for the host name. (WORKER_ID; default: worker-01)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work"' -l 'topic' -s 't' -d 'The topic of requests; \'$share/<group>/<filter>\' to share them. May be repeated, most urgent first. (MQTT_TOPIC, separated by blanks; default: jobs/pending)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" cache-dir' -l 'cache-dir' -d 'Where caches of jobs are kept. (JOB_CACHE_DIR; default: .worker/cache in the workspaces folder)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" cache-size' -l 'cache-size' -d 'The most bytes of all caches; the least recently used go first, 0 for none. (JOB_CACHE_SIZE; default: 10GiB)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" clean' -l 'clean' -d 'Use a clean session; requests sent while no worker is connected are lost. (MQTT_CLEAN)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" session-expiry' -l 'session-expiry' -d 'How long the broker keeps the session of a worker without a connection. (MQTT_SESSION_EXPIRY; default: 7d)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" queue-interval' -l 'queue-interval' -d 'How long the broker may pause between two queued messages, for brokers that send a queue slowly. (MQTT_QUEUE_INTERVAL; default: 0s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" retain' -l 'retain' -d 'How long the broker retains a result for later subscribers, or \'off\'. (MQTT_RETAIN; default: 7d)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" no-retain' -l 'no-retain' -d 'The same as \'--retain off\'. (MQTT_NO_RETAIN)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" o timeout' -s 'o' -l 'timeout' -d 'End a job that takes longer. (JOB_TIMEOUT; default: none)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" grace' -l 'grace' -d 'The time from TERM to KILL. (JOB_GRACE; default: 10s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" on-term' -l 'on-term' -d 'What TERM does to a running job: \'cancel\' it, or \'finish\' it and leave, as QUIT does. (WORKER_ON_TERM; default: cancel)' -rfka 'cancel finish'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" lease' -l 'lease' -d 'A worker that does not renew its claim for this long counts as dead. (JOB_LEASE; default: 30s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" max-attempts' -l 'max-attempts' -d 'How many workers may die while running a job before it is given up. (JOB_MAX_ATTEMPTS; default: 3)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" require-approval' -l 'require-approval' -d 'Start a job only after its request is approved with \'mqtt-fs-worker approve\'. (JOB_REQUIRE_APPROVAL)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" max-log-bytes' -l 'max-log-bytes' -d 'The largest log of a step; the first and the last half are kept. (JOB_MAX_LOG_BYTES; default: 104857600)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" publish-logs' -l 'publish-logs' -d 'Also publish the output of steps, on logs/<id>/<step> beside the results topic. (WORKER_PUBLISH_LOGS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" verify-key' -l 'verify-key' -d 'Accept only requests that are signed with this key: PEM, a JWK or JWK set, or hs256:<secret>. (JOB_VERIFY_KEY)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" heartbeat' -l 'heartbeat' -d 'How often the worker publishes its status on workers/<id>/status. (WORKER_HEARTBEAT; default: 15s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work"' -l 'redact' -d 'A variable whose value is masked as *** in logs and results; may be repeated. (JOB_REDACT, separated by commas)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" idle-timeout' -l 'idle-timeout' -d 'Exit after this long without a job. (WORKER_IDLE_TIMEOUT; default: never)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" jobs' -l 'jobs' -d 'Run this many jobs, one after the other; 0 for no limit. (WORKER_JOBS; default: 1)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" dry-run' -l 'dry-run' -d 'Run the request in --payload without MQTT, and print its result message. Its steps run for real; see also \'run\'.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" payload' -l 'payload' -d 'The request of a dry run. (default: ./test-payload.json)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" V version' -s 'V' -l 'version' -d 'Show the version.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker work" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker check" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker submit" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" id' -l 'id' -d 'The job\'s id. (default: the folder\'s name)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit"' -l 'env' -d 'A variable for all steps; without a value it has that of the environment. May be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit"' -l 'step' -d 'Run this command instead of the job\'s steps; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit"' -l 'exclude' -d 'Do not copy what matches, as in .gitignore, besides stage.exclude of job.json; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" new-id' -l 'new-id' -d 'Give the job a fresh id, the usual one and a random end, and print it.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" replace' -l 'replace' -d 'Put the folder in the place of the job of this id on the volume, whose results stay; not while a worker has it.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" retry' -l 'retry' -d 'Run the finished job of this id again, as \'retry\' does; nothing is copied.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" dry-run' -l 'dry-run' -d 'Print the files that would be copied, with their sizes, and send nothing.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" no-volume' -l 'no-volume' -d 'Without a common volume: send the steps of job.json in the request. The folder may have no other file.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" o timeout' -s 'o' -l 'timeout' -d 'End the job if it takes longer; withdraw it if no worker has taken it within this time.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" d detach' -l 'detach' -s 'd' -d 'Exit when the broker has the request; prints the id.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" json' -l 'json' -d 'Print the result message on stdout; the job\'s output goes to stderr.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" t topic' -l 'topic' -s 't' -d 'The topic of requests. (MQTT_TOPIC, of several the last, least urgent one; default: jobs/pending)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" sign-key' -l 'sign-key' -d 'Sign the request with this key, for workers with --verify-key; see \'sign\'.' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" kid' -l 'kid' -d 'The key\'s name in a set of keys. (default: that of the JWK)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit"' -l 'aud' -d 'A worker, or a group of workers, that may run a signed request; may be repeated. (default: any)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" expires' -l 'expires' -d 'How long workers may start a signed request. (default: 1h)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker submit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker retry" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion retry -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry"' -l 'env' -d 'A variable for all steps; without a value it has that of the environment. May be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry"' -l 'step' -d 'Run this command instead of the job\'s steps; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" o timeout' -s 'o' -l 'timeout' -d 'End the job if it takes longer; withdraw it if no worker has taken it within this time.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" d detach' -l 'detach' -s 'd' -d 'Exit when the broker has the request; prints the id.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" json' -l 'json' -d 'Print the result message on stdout; the job\'s output goes to stderr.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" t topic' -l 'topic' -s 't' -d 'The topic of requests. (MQTT_TOPIC, of several the last, least urgent one; default: jobs/pending)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" sign-key' -l 'sign-key' -d 'Sign the request with this key, for workers with --verify-key; see \'sign\'.' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" kid' -l 'kid' -d 'The key\'s name in a set of keys. (default: that of the JWK)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry"' -l 'aud' -d 'A worker, or a group of workers, that may run a signed request; may be repeated. (default: any)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" expires' -l 'expires' -d 'How long workers may start a signed request. (default: 1h)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker retry" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker run" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run"' -l 'env' -d 'A variable for all steps; without a value it has that of the environment. May be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run"' -l 'step' -d 'Run this command instead of the job\'s steps; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run" o timeout' -s 'o' -l 'timeout' -d 'End the job if it takes longer.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run" keep' -l 'keep' -d 'Keep the results, which are logs and changed files, and print their folder.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker run" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs"' -l 'state' -d 'Only jobs in this state; may be repeated.' -rfka 'running queued awaiting-approval pending finished'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs"' -l 'status' -d 'Only jobs that ended so; may be repeated.' -rfka 'success failed timeout canceled error lost rejected'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" last' -l 'last' -d 'List at most this many finished jobs. (default: 30 on a terminal, else all)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" json' -l 'json' -d 'Print a JSON array.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" metrics' -l 'metrics' -d 'Print counts, durations and ages of all jobs as metrics for Prometheus.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker jobs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker status" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion status -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" json' -l 'json' -d 'Print JSON: the job as in \'jobs --json\', and all of result.json if there is a result.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker logs" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion logs -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" f follow' -l 'follow' -s 'f' -d 'Continue until the job has ended; wait for its start.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" s step' -l 'step' -s 's' -d 'Only this step, from 0.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker logs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker cancel" -eq 1' -fka '(__mqtt-fs-worker_custom_completion ---completion cancel -- positional@0 (count (__mqtt-fs-worker_tokens -pc)) (__mqtt-fs-worker_tokens -tC))'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" next' -l 'next' -d 'If the job is finished, cancel the next request to run it again: the broker may have one.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" wait' -l 'wait' -d 'Wait for the job\'s end.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" json' -l 'json' -d 'Print the result message when the job has ended. Needs --wait.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cancel" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" reject' -l 'reject' -d 'Reject the request: no worker runs it, and its sender is notified.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" reason' -l 'reason' -d 'The reason, for the audit log and for the sender of a rejected request.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" by' -l 'by' -d 'The name of the person who decides. (default: the user and the host)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" digest' -l 'digest' -d 'Decide only if the request has this digest; the event awaiting-approval states it.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" y yes' -l 'yes' -s 'y' -d 'Do not ask.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker approve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker sign" -eq 1' -fa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" key' -l 'key' -d 'The key to sign with: Ed25519 (PEM or JWK with its private part), or hs256: and a secret of 32 bytes or more.' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" kid' -l 'kid' -d 'The key\'s name in a set of keys. (default: that of the JWK)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'aud' -d 'A worker, or a group of workers, that may run a signed request; may be repeated. (default: any)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" expires' -l 'expires' -d 'How long workers may start a signed request. (default: 1h)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" id' -l 'id' -d 'The job\'s id. (default: the folder\'s name)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" request-id' -l 'request-id' -d 'The idempotency key: a request with a known key is not run again. (default: a random one)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'env' -d 'A variable for all steps; without a value it has that of the environment. May be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign"' -l 'step' -d 'Run this command instead of the job\'s steps; may be repeated.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" timeout' -l 'timeout' -d 'End the job if it takes longer.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker sign" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" json' -l 'json' -d 'Print a JSON array; with --watch, one line for each change.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" watch' -l 'watch' -d 'Continue, and show changes.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" wait' -l 'wait' -d 'How long to wait for answers. (default: 2s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker workers" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" wait' -l 'wait' -d 'How long to wait for answers. (default: 2s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker drain" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" older-than' -l 'older-than' -d 'Only jobs whose result is older than this. (default: 7d)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" keep-last' -l 'keep-last' -d 'Keep this many of the newest finished jobs, of those with a --status.' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" status' -l 'status' -d 'Only jobs that ended so, separated by commas: success, failed, timeout, canceled, error, lost, rejected. (default: all)' -rfka 'success failed timeout canceled error lost rejected'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" previous-only' -l 'previous-only' -d 'Remove only results.previous/ of these jobs.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" dry-run' -l 'dry-run' -d 'Print what would be removed, and change nothing.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" clear-retained' -l 'clear-retained' -d 'Also clear the retained result message of each removed job. Needs the broker, and the right to publish results.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" y yes' -l 'yes' -s 'y' -d 'Do not ask.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker prune" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker cache" -eq 1' -fa 'list' -d 'Lists the caches, the least recently used first.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker cache" -eq 1' -fa 'remove' -d 'Removes caches by their keys, and says what that freed. One that a job uses stays.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache list" json' -l 'json' -d 'Print a JSON array.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache list" cache-dir' -l 'cache-dir' -d 'Where caches of jobs are kept. (JOB_CACHE_DIR; default: .worker/cache in the workspaces folder)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache list" cache-size' -l 'cache-size' -d 'The most bytes of all caches; the least recently used go first, 0 for none. (JOB_CACHE_SIZE; default: 10GiB)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache list" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache remove" all' -l 'all' -d 'Remove all caches.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache remove" cache-dir' -l 'cache-dir' -d 'Where caches of jobs are kept. (JOB_CACHE_DIR; default: .worker/cache in the workspaces folder)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache remove" cache-size' -l 'cache-size' -d 'The most bytes of all caches; the least recently used go first, 0 for none. (JOB_CACHE_SIZE; default: 10GiB)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache remove" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker cache remove" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" i id' -l 'id' -s 'i' -d 'The worker\'s id. (WORKER_ID; default: worker-01)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" wait' -l 'wait' -d 'How long to wait for the answer, or for a worker that is starting. (default: 3s)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" json' -l 'json' -d 'Print the worker\'s answer as JSON.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker health" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_positional "mqtt-fs-worker doctor" -eq 1' -fka 'broker volume all'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" u url' -l 'url' -s 'u' -d 'The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" n username' -s 'n' -l 'username' -d 'User name. (MQTT_USERNAME)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" p password' -l 'password' -s 'p' -d 'Password; other users can read it in the process list. (MQTT_PASSWORD)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" password-file' -l 'password-file' -d 'A file with the password on its first line. (MQTT_PASSWORD_FILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" protocol-version v' -s 'v' -l 'protocol-version' -d 'MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" tls' -l 'tls' -d 'Use TLS, as with mqtts://. (MQTT_TLS)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" ca-certs' -l 'ca-certs' -d 'CAs to trust, PEM. (MQTT_CA_CERTS; default: the system\'s)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" certfile' -l 'certfile' -d 'The worker\'s certificate, PEM. (MQTT_CERTFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" keyfile' -l 'keyfile' -d 'The key of the certificate, PEM. (MQTT_KEYFILE)' -rF
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" client-id-prefix' -l 'client-id-prefix' -d 'The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" connect-timeout' -l 'connect-timeout' -d 'Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" log-level' -l 'log-level' -d 'trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)' -rfka 'trace debug info notice warning error critical'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" log-format' -l 'log-format' -d 'text or json. (LOG_FORMAT; default: text on a terminal, else json)' -rfka 'text json'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" j jobs-dir' -l 'jobs-dir' -s 'j' -d 'The shared volume. (MQTT_JOBS_DIR; default: ./jobs)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" w workspaces-dir' -l 'workspaces-dir' -s 'w' -d 'Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" t topic' -l 'topic' -s 't' -d 'The topic below which it publishes and subscribes. (default: doctor-<random> below the results topic)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" r results-topic' -l 'results-topic' -s 'r' -d 'Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" session-expiry' -l 'session-expiry' -d 'How long the broker keeps the session of a worker without a connection. (MQTT_SESSION_EXPIRY; default: 7d)' -rfka ''
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" other-mount' -l 'other-mount' -d 'The same volume through another mount, as of a second host: also test what one sees of the other.' -rfa '(__mqtt-fs-worker_complete_directories)'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" json' -l 'json' -d 'Print the findings as JSON.'
complete -c 'mqtt-fs-worker' -n '__mqtt-fs-worker_should_offer_completions_for_flags_or_options "mqtt-fs-worker doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
