# Completion of tlsmgr for bash. Made by scripts/make-man; source it, or put it where bash-completion looks.

_tlsmgr() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "serve seed policy lookup update delete tktkey ping sweep revoke stats top list flush keys explain farm doctor config postfix --help --version" -- "$word")
        return
    fi
    case "${COMP_WORDS[1]} $before" in
    "serve -o") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "serve -n") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "serve -t") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "seed -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "seed --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "policy -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "policy --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "lookup -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "lookup --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "update -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "update --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "delete -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "delete --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "tktkey -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "tktkey --timeout") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "ping -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "sweep -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "revoke -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "stats -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "stats --cache") mapfile -t COMPREPLY < <(compgen -W "smtpd smtp lmtp" -- "$word"); return ;;
    "top -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "top --interval") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "list -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "list --cache") mapfile -t COMPREPLY < <(compgen -W "smtpd smtp lmtp" -- "$word"); return ;;
    "list --destination") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "list --older-than") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "flush -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "flush --cache") mapfile -t COMPREPLY < <(compgen -W "smtpd smtp lmtp" -- "$word"); return ;;
    "flush --destination") mapfile -t COMPREPLY < <(compgen -W "" -- "$word"); return ;;
    "keys -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "explain -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "farm -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "doctor -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "doctor -s"|"doctor --supervisor") mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    "config -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    "postfix -c") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    esac
    case "${COMP_WORDS[1]}" in
    serve) words="cache-server prng-server expiry-sweeper -h --help -o -n -c -u -v -V -t" ;;
    seed) words="--help -c --timeout --raw" ;;
    policy) words="smtpd smtp lmtp --help -c --timeout" ;;
    lookup) words="smtpd smtp lmtp --help -c --timeout --raw" ;;
    update) words="smtpd smtp lmtp --help -c --timeout" ;;
    delete) words="smtpd smtp lmtp --help -c --timeout" ;;
    tktkey) words="compatibility_level config_directory daemon_timeout data_directory default_database_type lmtp_tls_loglevel lmtp_tls_session_cache_database lmtp_tls_session_cache_timeout mail_owner multi_instance_name process_id process_name queue_directory service_name smtp_tls_loglevel smtp_tls_session_cache_database smtp_tls_session_cache_timeout smtpd_tls_loglevel smtpd_tls_session_cache_database smtpd_tls_session_cache_timeout syslog_facility syslog_name tls_random_bytes tls_random_exchange_name tls_random_prng_update_period tls_random_reseed_period tls_random_source tlsmgr_authorized_users tlsmgr_client_connection_limit tlsmgr_clock_skew tlsmgr_farm_secret_file tlsmgr_memory_cache_size tlsmgr_metrics_address tlsmgr_protocol_announcement tlsmgr_redis_credentials_file tlsmgr_request_size_limit tlsmgr_run_directory tlsmgr_sealing_key_file tlsmgr_service_name tlsmgr_session_cache_entry_limit tlsmgr_session_cache_size_limit tlsmgr_ticket_key_lease tlsmgr_ticket_key_source --help -c --timeout --raw" ;;
    ping) words="cache-server prng-server expiry-sweeper --help -c -q --quiet" ;;
    sweep) words="--help -c" ;;
    revoke) words="--help -c" ;;
    stats) words="cache-server prng-server expiry-sweeper --help -c --cache --json --prometheus" ;;
    top) words="--help -c --interval --once" ;;
    list) words="--help -c --cache --destination --older-than --json" ;;
    flush) words="--help -c --cache --destination -n --dry-run" ;;
    keys) words="--help -c --json" ;;
    explain) words="--help -c" ;;
    farm) words="check describe export import new-secret --help -c --next-epoch" ;;
    doctor) words="--help -c --json -s --supervisor -q --quiet" ;;
    config) words="compatibility_level config_directory daemon_timeout data_directory default_database_type lmtp_tls_loglevel lmtp_tls_session_cache_database lmtp_tls_session_cache_timeout mail_owner multi_instance_name process_id process_name queue_directory service_name smtp_tls_loglevel smtp_tls_session_cache_database smtp_tls_session_cache_timeout smtpd_tls_loglevel smtpd_tls_session_cache_database smtpd_tls_session_cache_timeout syslog_facility syslog_name tls_random_bytes tls_random_exchange_name tls_random_prng_update_period tls_random_reseed_period tls_random_source tlsmgr_authorized_users tlsmgr_client_connection_limit tlsmgr_clock_skew tlsmgr_farm_secret_file tlsmgr_memory_cache_size tlsmgr_metrics_address tlsmgr_protocol_announcement tlsmgr_redis_credentials_file tlsmgr_request_size_limit tlsmgr_run_directory tlsmgr_sealing_key_file tlsmgr_service_name tlsmgr_session_cache_entry_limit tlsmgr_session_cache_size_limit tlsmgr_ticket_key_lease tlsmgr_ticket_key_source --help -c -d -n -x -h" ;;
    postfix) words="disable enable status --help -c" ;;
    *) words= ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _tlsmgr tlsmgr
