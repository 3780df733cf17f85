#!/bin/bash

__mqtt-fs-worker_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__mqtt-fs-worker_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__mqtt-fs-worker_add_completions() {
    # Without a completion in progress, as in a test, compopt fails.
    [[ "${1}" != -[df] ]] || compopt -o filenames 2>/dev/null
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__mqtt-fs-worker_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_mqtt-fs-worker() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(-h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __mqtt-fs-worker_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    work|check|submit|retry|run|jobs|status|logs|cancel|approve|sign|workers|drain|prune|cache|health|doctor|help)
        # Offer subcommand argument completions
        "_mqtt-fs-worker_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'work check submit retry run jobs status logs cancel approve sign workers drain prune cache health doctor help' -- "${cur}"))
        ;;
    esac
}

_mqtt-fs-worker_work() {
    repeating_flags=()
    non_repeating_flags=(--tls --clean --no-retain --require-approval --publish-logs --dry-run -V --version -h --help)
    repeating_options=(--topic -t --redact)
    non_repeating_options=(--url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --id -i --jobs-dir -j --workspaces-dir -w --cache-dir --cache-size --results-topic -r --session-expiry --queue-interval --retain -o --timeout --grace --on-term --lease --max-attempts --max-log-bytes --verify-key --heartbeat --idle-timeout --jobs --log-level --log-format --payload)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--id'|'-i')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--workspaces-dir'|'-w')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--topic'|'-t')
        return
        ;;
    '--cache-dir')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--cache-size')
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--session-expiry')
        return
        ;;
    '--queue-interval')
        return
        ;;
    '--retain')
        return
        ;;
    '-o'|'--timeout')
        return
        ;;
    '--grace')
        return
        ;;
    '--on-term')
        __mqtt-fs-worker_add_completions -W 'cancel'$'\n''finish'
        return
        ;;
    '--lease')
        return
        ;;
    '--max-attempts')
        return
        ;;
    '--max-log-bytes')
        return
        ;;
    '--verify-key')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--redact')
        return
        ;;
    '--idle-timeout')
        return
        ;;
    '--jobs')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--payload')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    esac
}

_mqtt-fs-worker_check() {
    repeating_flags=()
    non_repeating_flags=(-h --help)
    repeating_options=()
    non_repeating_options=()
    __mqtt-fs-worker_offer_flags_options 1

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_submit() {
    repeating_flags=()
    non_repeating_flags=(--new-id --replace --retry --dry-run --no-volume --detach -d --json --tls -h --help)
    repeating_options=(--env --step --exclude --aud)
    non_repeating_options=(--id -o --timeout --topic -t --sign-key --kid --expires --jobs-dir -j --results-topic -r --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--id')
        return
        ;;
    '--env')
        return
        ;;
    '--step')
        return
        ;;
    '--exclude')
        return
        ;;
    '-o'|'--timeout')
        return
        ;;
    '--topic'|'-t')
        return
        ;;
    '--sign-key')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--kid')
        return
        ;;
    '--aud')
        return
        ;;
    '--expires')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_retry() {
    repeating_flags=()
    non_repeating_flags=(--detach -d --json --tls -h --help)
    repeating_options=(--env --step --aud)
    non_repeating_options=(-o --timeout --topic -t --sign-key --kid --expires --jobs-dir -j --results-topic -r --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--env')
        return
        ;;
    '--step')
        return
        ;;
    '-o'|'--timeout')
        return
        ;;
    '--topic'|'-t')
        return
        ;;
    '--sign-key')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--kid')
        return
        ;;
    '--aud')
        return
        ;;
    '--expires')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -W "$(__mqtt-fs-worker_custom_complete ---completion retry -- positional@0 "${COMP_CWORD}" "$(__mqtt-fs-worker_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_mqtt-fs-worker_run() {
    repeating_flags=()
    non_repeating_flags=(--keep -h --help)
    repeating_options=(--env --step)
    non_repeating_options=(-o --timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--env')
        return
        ;;
    '--step')
        return
        ;;
    '-o'|'--timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_jobs() {
    repeating_flags=()
    non_repeating_flags=(--json --metrics -h --help)
    repeating_options=(--state --status)
    non_repeating_options=(--last --jobs-dir -j)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--state')
        __mqtt-fs-worker_add_completions -W 'running'$'\n''queued'$'\n''awaiting-approval'$'\n''pending'$'\n''finished'
        return
        ;;
    '--status')
        __mqtt-fs-worker_add_completions -W 'success'$'\n''failed'$'\n''timeout'$'\n''canceled'$'\n''error'$'\n''lost'$'\n''rejected'
        return
        ;;
    '--last')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_status() {
    repeating_flags=()
    non_repeating_flags=(--json -h --help)
    repeating_options=()
    non_repeating_options=(--jobs-dir -j)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -W "$(__mqtt-fs-worker_custom_complete ---completion status -- positional@0 "${COMP_CWORD}" "$(__mqtt-fs-worker_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_mqtt-fs-worker_logs() {
    repeating_flags=()
    non_repeating_flags=(--follow -f -h --help)
    repeating_options=()
    non_repeating_options=(--step -s --jobs-dir -j)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--step'|'-s')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -W "$(__mqtt-fs-worker_custom_complete ---completion logs -- positional@0 "${COMP_CWORD}" "$(__mqtt-fs-worker_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_mqtt-fs-worker_cancel() {
    repeating_flags=()
    non_repeating_flags=(--next --wait --json --tls -h --help)
    repeating_options=()
    non_repeating_options=(--jobs-dir -j --results-topic -r --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -W "$(__mqtt-fs-worker_custom_complete ---completion cancel -- positional@0 "${COMP_CWORD}" "$(__mqtt-fs-worker_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_mqtt-fs-worker_approve() {
    repeating_flags=()
    non_repeating_flags=(--reject --yes -y --tls -h --help)
    repeating_options=()
    non_repeating_options=(--reason --by --digest --jobs-dir -j --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--reason')
        return
        ;;
    '--by')
        return
        ;;
    '--digest')
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac
}

_mqtt-fs-worker_sign() {
    repeating_flags=()
    non_repeating_flags=(-h --help)
    repeating_options=(--aud --env --step)
    non_repeating_options=(--key --kid --expires --id --request-id --timeout)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--key')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--kid')
        return
        ;;
    '--aud')
        return
        ;;
    '--expires')
        return
        ;;
    '--id')
        return
        ;;
    '--request-id')
        return
        ;;
    '--env')
        return
        ;;
    '--step')
        return
        ;;
    '--timeout')
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_workers() {
    repeating_flags=()
    non_repeating_flags=(--tls --json --watch -h --help)
    repeating_options=()
    non_repeating_options=(--url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format --wait)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--wait')
        return
        ;;
    esac
}

_mqtt-fs-worker_drain() {
    repeating_flags=()
    non_repeating_flags=(--tls -h --help)
    repeating_options=()
    non_repeating_options=(--wait --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--wait')
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac
}

_mqtt-fs-worker_prune() {
    repeating_flags=()
    non_repeating_flags=(--previous-only --dry-run --clear-retained --yes -y --tls -h --help)
    repeating_options=()
    non_repeating_options=(--older-than --keep-last --status --jobs-dir -j --results-topic -r --url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--older-than')
        return
        ;;
    '--keep-last')
        return
        ;;
    '--status')
        __mqtt-fs-worker_add_completions -W 'success'$'\n''failed'$'\n''timeout'$'\n''canceled'$'\n''error'$'\n''lost'$'\n''rejected'
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    esac
}

_mqtt-fs-worker_cache() {
    repeating_flags=()
    non_repeating_flags=(-h --help)
    repeating_options=()
    non_repeating_options=()
    __mqtt-fs-worker_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    list|remove)
        # Offer subcommand argument completions
        "_mqtt-fs-worker_cache_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'list remove' -- "${cur}"))
        ;;
    esac
}

_mqtt-fs-worker_cache_list() {
    repeating_flags=()
    non_repeating_flags=(--json -h --help)
    repeating_options=()
    non_repeating_options=(--cache-dir --cache-size --workspaces-dir -w)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--cache-dir')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--cache-size')
        return
        ;;
    '--workspaces-dir'|'-w')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_cache_remove() {
    repeating_flags=()
    non_repeating_flags=(--all -h --help)
    repeating_options=()
    non_repeating_options=(--cache-dir --cache-size --workspaces-dir -w)
    __mqtt-fs-worker_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--cache-dir')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--cache-size')
        return
        ;;
    '--workspaces-dir'|'-w')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac
}

_mqtt-fs-worker_health() {
    repeating_flags=()
    non_repeating_flags=(--json -h --help)
    repeating_options=()
    non_repeating_options=(--id -i --workspaces-dir -w --wait)
    __mqtt-fs-worker_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--id'|'-i')
        return
        ;;
    '--workspaces-dir'|'-w')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--wait')
        return
        ;;
    esac
}

_mqtt-fs-worker_doctor() {
    repeating_flags=()
    non_repeating_flags=(--tls --json -h --help)
    repeating_options=()
    non_repeating_options=(--url -u -n --username --password -p --password-file -v --protocol-version --ca-certs --certfile --keyfile --client-id-prefix --connect-timeout --log-level --log-format --jobs-dir -j --workspaces-dir -w --topic -t --results-topic -r --session-expiry --other-mount)
    __mqtt-fs-worker_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--url'|'-u')
        return
        ;;
    '-n'|'--username')
        return
        ;;
    '--password'|'-p')
        return
        ;;
    '--password-file')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '-v'|'--protocol-version')
        return
        ;;
    '--ca-certs')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--certfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--keyfile')
        __mqtt-fs-worker_add_completions -f
        return
        ;;
    '--client-id-prefix')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--log-level')
        __mqtt-fs-worker_add_completions -W 'trace'$'\n''debug'$'\n''info'$'\n''notice'$'\n''warning'$'\n''error'$'\n''critical'
        return
        ;;
    '--log-format')
        __mqtt-fs-worker_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--jobs-dir'|'-j')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--workspaces-dir'|'-w')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    '--topic'|'-t')
        return
        ;;
    '--results-topic'|'-r')
        return
        ;;
    '--session-expiry')
        return
        ;;
    '--other-mount')
        __mqtt-fs-worker_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __mqtt-fs-worker_add_completions -W 'broker'$'\n''volume'$'\n''all'
        return
        ;;
    esac
}

_mqtt-fs-worker_help() {
    :
}

complete -F _mqtt-fs-worker mqtt-fs-worker
