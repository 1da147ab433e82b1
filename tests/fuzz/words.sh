#!/bin/bash
# words.sh TARGET: libFuzzer's dictionary for it on stdout: the words of the code that will read the bytes, taken from
# where they stand, so that a new key, column, option or field is known here without a line of its own.
set -eu
cd "$(dirname "$0")/../.."

# The short texts of C files: keys, columns, options, what may stand behind them.
of_code() { grep -ohE '"[^"\\ ]{1,40}"' "$@" | tr -d '"'; }
# The words of files: between what separates words in YAML, CSV and plain text.
of_files() { tr -s ' \n\t,;:{}[]"#()=' '\n' < <(cat "$@"); }
# Each field's tag as bytes: (number << 3 | kind) as a varint, for numbers and for lengths.
tags() {
    sed -nE 's/^ *(optional|required|repeated|)[^=]*= *([0-9]+)[^"]*;.*/\2/p' proto/whistle.proto | sort -un |
        awk '{ for (kind = 0; kind <= 2; kind += 2) { n = $1 * 8 + kind
            if (n < 128) printf "\"\\x%02x\"\n", n; else printf "\"\\x%02x\\x%02x\"\n", n % 128 + 128, int(n / 128) } }'
}
quoted() {
    sort -u | perl -ne 'chomp; next if !length || length > 60; s/([^ -~]|["\\])/sprintf "\\x%02x", ord $1/ge; print "\"$_\"\n"'
}

case ${1:?which target} in
playbook) of_code daemon/config/{playbooks,reading,values}.c | cat - <(of_files tests/fuzz/office/playbooks/*) | quoted ;;
office) of_code daemon/config/{load,roles,reading,values}.c | cat - <(of_files tests/fuzz/office/*.yaml) | quoted ;;
tables) of_code daemon/config/{divisions,categories,calendars,roles,csv,values}.c |
    cat - <(of_files tests/fuzz/office/*.csv tests/fuzz/office/calendars/*) | quoted ;;
settings | flags) of_code daemon/settings.c daemon/arguments.c lib/base/options.c |
    cat - <(printf '%s\n' '\N' '\L' '\P' '\_' '\u' '\x' $'\u0085' $'\u2028') | quoted ;;       # what YAML makes of them
arguments) of_code ctl/*.c workers/*.c | quoted ;;
frames) tags ;;
sheets) of_code ctl/{plan,csv,import_cases,import_row,import_config,words,choices}.c | quoted ;;
web) of_code daemon/gates/web*.c | cat - <(printf '%s\n' GET HEAD POST 'GET / HTTP/1.1' HTTP/1.0 Host: Content-Length: \
    'Transfer-Encoding: chunked' Connection: keep-alive Expect: 100-continue '%00' '//' '[::1]') | quoted ;;
esac
