# The lines of bench/load as a table: medians over the rounds, each system's ratio to the skeleton of the same round, the
# broker's to the others, and the targets. Status 1 when one is missed.
function number(name,    at) {
    at = match($0, "\"" name "\":[-0-9.]+")
    return at ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0 : 0
}
function text(name,    at) {
    at = match($0, "\"" name "\":\"[^\"]*\"")
    return at ? substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5) : ""
}
# of v[key, 1..n]
function median(v, key, n,    i, j, t, a) {
    for (i = 1; i <= n; i++) {
        t = v[key, i]
        for (j = i - 1; j >= 1 && a[j] > t; j--) a[j + 1] = a[j]
        a[j + 1] = t
    }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
function spread(v, key, n,    i, low, high) {
    low = high = v[key, 1]
    for (i = 2; i <= n; i++) {
        if (v[key, i] < low) low = v[key, i]
        if (v[key, i] > high) high = v[key, i]
    }
    return low > 0 ? high / low : 0
}
function target(what, is, least, most,    good) {
    good = (least != "") ? (is >= least) : (is <= most)
    if (!good) missed = 1
    printf "%-10s %-66s %10s (aim: at %s %s)\n", good ? "ok" : "aim missed", what, \
        sprintf(is >= 100 ? "%.0f" : "%.2f", is), least != "" ? "least" : "most", least != "" ? least : most
}
# The broker beside another of the same rounds: the median of the ratios, and how far they lie apart.
function beside(peer, shape, least,    i, n, key) {
    n = runs["broker", shape] < runs[peer, shape] ? runs["broker", shape] : runs[peer, shape]
    if (!n) return
    key = peer SUBSEP shape
    for (i = 1; i <= n; i++)
        v["beside", key, i] = v["reports_per_s", "broker", shape, i] / v["reports_per_s", peer, shape, i]
    target(shape ": reports/s, ratio to " peer " (rounds differ by " \
        sprintf("%.2f", spread(v, "beside" SUBSEP key, n)) ")", median(v, "beside" SUBSEP key, n), least)
}
/"system"/ {
    system_ = text("system"); shape = text("shape"); key = system_ SUBSEP shape
    if (!(shape in seen)) { seen[shape] = 1; shapes[++shapes_count] = shape }
    n = ++runs[key]
    split("reports_per_s p50_us p99_us max_us cpu_us busy retry desk_per_s", fields, " ")
    for (f in fields) v[fields[f], key, n] = number(fields[f])
    first = "skeleton" SUBSEP shape
    if (n <= runs[first] && v["reports_per_s", first, n] > 0) {
        v["ratio", key, n] = v["reports_per_s", key, n] / v["reports_per_s", first, n]
        v["late", key, n] = v["p99_us", key, n] / v["p99_us", first, n]
    }
}
# Arrays of one field are v[field, key, i]: median and spread take "field SUBSEP key" for their key.
function m(field, key) { return median(v, field SUBSEP key, runs[key]) }
END {
    systems_count = split("skeleton broker worker postgres redis", systems, " ")
    printf "\n%-7s %-9s %9s %6s %8s %8s %8s %7s %7s %9s %6s\n", "shape", "system", "reports/s", "ratio", "p50 us", \
        "p99 us", "max us", "cpu us", "max/min", "answers/s", "again"
    for (s = 1; s <= shapes_count; s++)
        for (i = 1; i <= systems_count; i++) {
            key = systems[i] SUBSEP shapes[s]
            if (!runs[key]) continue
            printf "%-7s %-9s %9.0f %6.2f %8.0f %8.0f %8.0f %7.2f %7.2f %9.0f %6.0f\n", shapes[s], systems[i], \
                m("reports_per_s", key), m("ratio", key), m("p50_us", key), m("p99_us", key), m("max_us", key), \
                m("cpu_us", key), spread(v, "reports_per_s" SUBSEP key, runs[key]), m("desk_per_s", key), \
                m("busy", key) + m("retry", key)
        }
    print ""
    if (runs["broker" SUBSEP "4x64"]) {
        target("4x64: reports/s, ratio to the skeleton", m("ratio", "broker" SUBSEP "4x64"), 0.5)
        target("4x64: reports/s", m("reports_per_s", "broker" SUBSEP "4x64"), 40000)
    }
    if (runs["broker" SUBSEP "64x64"]) {
        target("64x64: reports/s, ratio to the skeleton", m("ratio", "broker" SUBSEP "64x64"), 0.5)
        target("64x64: reports/s", m("reports_per_s", "broker" SUBSEP "64x64"), 40000)
    }
    if (runs["worker" SUBSEP "64x64"])
        target("64x64: reports/s with one worker dispatching", m("reports_per_s", "worker" SUBSEP "64x64"), 20000)
    if (runs["broker" SUBSEP "4x1"])
        target("4x1: p99, ratio to the skeleton", m("late", "broker" SUBSEP "4x1"), "", 2)
    for (s = 1; s <= shapes_count; s++) {
        beside("postgres", shapes[s], shapes[s] == "64x64" ? 2 : 1)
        beside("redis", shapes[s], shapes[s] == "64x64" ? 2 : 1)
    }
    exit missed
}
