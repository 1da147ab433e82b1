# bash completion for whistlectl(1), whistled(8) and whistle-worker(1).                       -*- shell-script -*-
# Made by `make docs` from completions/whistle.bash.in and the tables of the programs; a test compares. Change those.
#
# What a program or a command takes is a list, a word an argument:
#   --option=HOW   --flag   HOW (given by its place)
#   HOW   one,of,these   @file @dir @where   @: nobody can guess it, and numbers of cases are not for this screen

_whistle_commands=(
    'report'
    'tell'
    'show'
    'list'
    'watch'
    'answer'
    'return'
    'extend ask'
    'note'
    'inbox'
    'similar'
    'accept'
    'dispatch'
    'reassign'
    'escalate'
    'delegate'
    'reject'
    'merge'
    'split'
    'transfer'
    'acknowledge-transfer'
    'correct'
    'extend grant'
    'extend refuse'
    'suspend'
    'resume'
    'remind'
    'supervise'
    'withdraw'
    'appeal'
    'follow-up'
    'reopen'
    'void'
    'hand-over'
    'bulk reassign'
    'bulk close'
    'bulk void'
    'bulk correct'
    'bulk hand-over'
    'bulk move'
    'bulk confirm'
    'bulk run'
    'bulk show'
    'import cases'
    'import divisions'
    'import parties'
    'import categories'
    'status'
    'returns daily'
    'returns monthly'
    'top'
    'reload'
    'calendar recompute'
    'case move'
    'drain'
    'dead list'
    'dead retry'
    'dead drop'
    'drill'
    'verify'
    'replay'
    'recover'
    'backup'
    'restore'
    'journal follow'
    'journal show'
    'emergency-grow'
    'purge'
)

# $1: a program, `whistlectl COMMAND`, or `where` for what --where takes; into REPLY. False: no such thing.
_whistle_takes() {
    case $1 in
    'whistlectl') REPLY='--front=@ --feed=@ --pool=@ --json --lang=zh,en --zone=@ --wait=@ --by=@ --help --version' ;;
    'where') REPLY='prefix=@ state=reported,accepted,dispatched,handling,resolved,suspended,followup category=@ older-than=@ party=@ overdue' ;;
    'whistlectl report') REPLY='--division=@ --category=@ --wall=inside,outside --text=@ --address=@ --occurred=@ --external-id=@ --promise=@ --reporter=@ --ask-me --exercise --self-handled --party=@ --evidence=@ --id=@' ;;
    'whistlectl tell') REPLY='@' ;;
    'whistlectl show') REPLY='@' ;;
    'whistlectl list') REPLY='--division=@ --all --limit=@' ;;
    'whistlectl watch') REPLY='--division=@ --from=@ --snapshot --count=@ --not-origin=@' ;;
    'whistlectl answer') REPLY='@ accept,done,decline --milestone=@ --text=@ --evidence=@ --party=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl return') REPLY='@ --to=@ --why=@ --party=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl extend ask') REPLY='@ --party=@ --limit=@ --text=@ --id=@' ;;
    'whistlectl note') REPLY='@ --text=@ --party=@ --id=@' ;;
    'whistlectl inbox') REPLY='@ --desk=@ --level=grid,community,street,district,city,province --all' ;;
    'whistlectl similar') REPLY='@' ;;
    'whistlectl accept') REPLY='@ --party=@ --id=@' ;;
    'whistlectl dispatch') REPLY='@ --to=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl reassign') REPLY='@ --to=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl escalate') REPLY='@ --party=@ --to-level=grid,community,street,district,city,province --stage=@ --attempt=@ --id=@' ;;
    'whistlectl delegate') REPLY='@ --to-level=grid,community,street,district,city,province --division=@ --party=@ --text=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl reject') REPLY='@ --cause=out-of-scope,duplicate,not-a-fact,elsewhere --text=@ --stage=@ --attempt=@ --id=@' ;;
    'whistlectl merge') REPLY='@ --into=@ --party=@ --id=@' ;;
    'whistlectl split') REPLY='@ --party=@ --id=@' ;;
    'whistlectl transfer') REPLY='@ --to=police,fire,ambulance,court,petition,district,hotline,other --party=@ --text=@ --id=@' ;;
    'whistlectl acknowledge-transfer') REPLY='@ --number=@ --id=@' ;;
    'whistlectl correct') REPLY='@ --category=@ --urgency=I,II,III,IV --division=@ --wall=inside,outside --party=@ --text=@ --id=@' ;;
    'whistlectl extend grant') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl extend refuse') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl suspend') REPLY='@ --party=@ --until=@ --why=engineering,season,litigation,funding,absent --text=@ --id=@' ;;
    'whistlectl resume') REPLY='@ --party=@ --id=@' ;;
    'whistlectl remind') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl supervise') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl withdraw') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl appeal') REPLY='@ --party=@ --text=@ --id=@' ;;
    'whistlectl follow-up') REPLY='@ --solved=yes,no --satisfied=yes,no --party=@ --text=@ --id=@' ;;
    'whistlectl reopen') REPLY='@ --reporter --party=@ --text=@ --id=@' ;;
    'whistlectl void') REPLY='@ --text=@ --id=@' ;;
    'whistlectl hand-over') REPLY='@ --from=@ --to=@ --dry-run' ;;
    'whistlectl bulk reassign') REPLY='--to=@ --where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk close') REPLY='--text=@ --where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk void') REPLY='--text=@ --where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk correct') REPLY='--category=@ --urgency=I,II,III,IV --wall=inside,outside --text=@ --where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk hand-over') REPLY='--from=@ --to=@ --where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk move') REPLY='--where=@where --cases=@file --dry-run --plan=@file' ;;
    'whistlectl bulk confirm') REPLY='@ --plan=@file --digest=@' ;;
    'whistlectl bulk run') REPLY='@ --plan=@file' ;;
    'whistlectl bulk show') REPLY='@' ;;
    'whistlectl import cases') REPLY='@file --origin=@ --dry-run --keep-going --config=@dir' ;;
    'whistlectl import divisions') REPLY='@file --into=@dir --dry-run --keep-going' ;;
    'whistlectl import parties') REPLY='@file --into=@dir --dry-run --keep-going' ;;
    'whistlectl import categories') REPLY='@file --into=@dir --dry-run --keep-going' ;;
    'whistlectl status') REPLY='--digest' ;;
    'whistlectl returns daily') REPLY='--date=@ --as-of=@ --prefix=@ --out=@file --public --data=@dir' ;;
    'whistlectl returns monthly') REPLY='--month=@ --as-of=@ --prefix=@ --out=@file --public --data=@dir' ;;
    'whistlectl top') REPLY='--once' ;;
    'whistlectl reload') REPLY='--dry-run --id=@' ;;
    'whistlectl calendar recompute') REPLY='--dry-run --id=@' ;;
    'whistlectl case move') REPLY='@ --id=@' ;;
    'whistlectl drain') REPLY='on,off --id=@' ;;
    'whistlectl dead list') REPLY='--division=@' ;;
    'whistlectl dead retry') REPLY='@ --id=@' ;;
    'whistlectl dead drop') REPLY='@ --id=@' ;;
    'whistlectl drill') REPLY='--data=@file --config=@dir --until=@ --rows=@ --quiet' ;;
    'whistlectl verify') REPLY='@dir --scratch=@dir --quiet' ;;
    'whistlectl replay') REPLY='@dir --from=@ --case=@' ;;
    'whistlectl recover') REPLY='@dir --discard-state' ;;
    'whistlectl backup') REPLY='--store=@dir --to=@dir --check=@dir' ;;
    'whistlectl restore') REPLY='@dir --to=@dir --slots=@file --until-seq=@ --until=@' ;;
    'whistlectl journal follow') REPLY='--from=@ --to=@dir --once --status' ;;
    'whistlectl journal show') REPLY='@dir' ;;
    'whistlectl emergency-grow') REPLY='--store=@dir' ;;
    'whistlectl purge') REPLY='@dir --store=@dir --before=@ --keep=@ --archive=@dir --delete --dry-run --open-too --scratch=@dir' ;;
    'whistled') REPLY='@file --data=@dir --config=@dir --front=@ --pool=@ --feed=@ --http=@ --loopback-operates=true,false --lease-ms=@ --segment-bytes=@ --segments-ahead=@ --map-bytes=@ --store-max-bytes=@ --slots-ahead=@ --checkpoint-bytes=@ --checkpoint-changes=@ --checkpoint-idle-ms=@ --checkpoint-age-ms=@ --clock-step-ms=@ --receipt-days=@ --archive-after-days=@ --drill-start-ms=@ --watchdog-ms=@ --verify-full=true,false --debug=true,false --check --print-config --drill --version --help' ;;
    'whistle-worker') REPLY='--level=community,street,district --divisions=@ --endpoint=@ --credit=@ --program=@ --help' ;;
    *) return 1 ;;
    esac
}

# What was typed before the cursor, as the program will read it: bash breaks words at =.
_whistle_words() {
    local word glue=
    WORDS=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#WORDS[@]} -gt 0 && ( $word == '=' || $glue ) ]]; then WORDS[-1]+=$word; else WORDS+=("$word"); fi
        if [[ $word == '=' ]]; then glue=yes; else glue=; fi
    done
}

# How the option $1 is said by the list $2, into HOW; '' is a flag.
_whistle_how() {
    local take
    HOW=
    for take in $2; do
        [[ ${take%%=*} == "$1" && $take == *=* ]] && HOW=${take#*=}
    done
}

_whistle_is_command() {
    local command
    for command in "${_whistle_commands[@]}"; do
        [[ $command == "$1" ]] && return 0
    done
    return 1
}

# Values that are said as $1 and begin with $2, each behind $3.
_whistle_values() {
    local REPLY HOW words=${1//,/ }
    case $1 in
    '' | @) ;;
    @file) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -P "$3" -f -- "$2") ;;
    @dir) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -P "$3" -d -- "$2") ;;
    @where)
        _whistle_takes where
        if [[ $2 == *=* ]]; then
            _whistle_how "${2%%=*}" "$REPLY"
            _whistle_values "$HOW" "${2#*=}" "$3${2%%=*}="
        else
            _whistle_options "$REPLY" "$2" "$3"
        fi ;;
    *) mapfile -t COMPREPLY < <(compgen -P "$3" -W "$words" -- "$2") ;;
    esac
}

# The names in the list $1 that begin with $2, each behind $3. What --where takes has no dashes and wants its = at once.
_whistle_options() {
    local take names=
    for take in $1; do
        case $take in
        --*) names+=" ${take%%=*}" ;;
        @* | *,*) [[ $take == *=* ]] && names+=" ${take%%=*}=" ;;
        *=*) names+=" ${take%%=*}=" ;;
        *) names+=" $take" ;;
        esac
    done
    mapfile -t COMPREPLY < <(compgen -P "$3" -W "$names" -- "$2")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null
    return 0
}

# The words of commands that can follow the words $1, and begin with $2.
_whistle_next_words() {
    local command words=
    for command in "${_whistle_commands[@]}"; do
        [[ -z $1 || $command == "$1 "* ]] && command=${command#"$1"} && command=${command# } && words+=" ${command%% *}"
    done
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2" | sort -u)
}

# The place'th of what is given by its place in the list $1, into HOW; false: there is none.
_whistle_place() {
    local take place=$2
    for take in $1; do
        [[ $take == --* ]] || ((place-- > 0)) || { HOW=$take; return 0; }
    done
    return 1
}

_whistle() {
    local program=${COMP_WORDS[0]##*/} command='' options pending='' place=0 word current REPLY HOW
    local -a WORDS
    COMPREPLY=()
    _whistle_words
    current=${WORDS[-1]}
    unset 'WORDS[-1]'
    _whistle_takes "$program" || return 0
    options=$REPLY
    for word in "${WORDS[@]}"; do
        if [[ $pending ]]; then
            pending=
        elif [[ $word == --*=* ]]; then
            continue
        elif [[ $word == --* ]]; then
            _whistle_how "$word" "$options"
            pending=$HOW
        elif [[ $program == whistlectl && $place -eq 0 ]] && {
                [[ -z $command ]] || _whistle_is_command "$command $word"; }; then
            command+=${command:+ }$word
            _whistle_takes whistlectl && options=$REPLY
            _whistle_takes "whistlectl $command" && options="$REPLY ${options% --version}"
        else
            place=$((place + 1))
        fi
    done

    if [[ $pending ]]; then
        _whistle_values "$pending" "$current" ''
    elif [[ $current == --*=* ]]; then
        _whistle_how "${current%%=*}" "$options"
        _whistle_values "$HOW" "${current#*=}" "${current%%=*}="
    elif [[ $current == -* ]]; then
        _whistle_options "$options" "$current" ''
    else
        [[ $program == whistlectl && $place -eq 0 ]] && _whistle_next_words "$command" "$current"
        if [[ ${#COMPREPLY[@]} -eq 0 && ( $program != whistlectl || $command ) ]]; then
            if _whistle_place "$options" "$place"; then _whistle_values "$HOW" "$current" ''
            elif [[ -z $current ]]; then _whistle_options "$options" '' ''; fi
        fi
    fi

    # Where bash has broken the word at its =, only what is behind the last one is replaced.
    if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%=*}="}")
    fi
}

complete -F _whistle whistlectl whistled whistle-worker
