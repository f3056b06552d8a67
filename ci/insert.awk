# usage: awk -f ci/insert.awk TREE=DIRECTORY PROTO=FILE RULES
#
# Change files of TREE in place as RULES (proto/insertions, which describes them)
# says. PROTO has the %PARAM lines for `each-parameter'. A place that is not there
# is named on standard output, and left out.

# load - read the file, a line per element of line[]

function load(	text, status) {
    count = 0
    while ((status = (getline text <(TREE "/" file))) > 0)
	line[++count] = text
    close(TREE "/" file)
    return status == 0
}

# store - write it back; its mode stays

function store(	i) {
    for (i = 1; i <= count; i++)
	print line[i] >(TREE "/" file)
    close(TREE "/" file)
    file = ""
}

# insert - put what is in text[] before line number `at'

function insert(at,	i) {
    for (i = count; i >= at; i--)
	line[i + texts] = line[i]
    for (i = 1; i <= texts; i++)
	line[at + i - 1] = text[i]
    count += texts
}

# find - number of the first line from `start' that matches, or 0

function find(start, regex,	i) {
    for (i = start; i <= count; i++)
	if (line[i] ~ regex)
	    return i
    return 0
}

# repeat - the text once for each parameter

function repeat(	i, j, n, made, one) {
    for (i = 1; i <= parameters; i++)
	for (j = 1; j <= texts; j++) {
	    one = text[j]
	    while ((n = index(one, "@NAME@")) > 0)
		one = substr(one, 1, n - 1) parameter[i] substr(one, n + 6)
	    made[++made[0]] = one
	}
    texts = made[0]
    for (i = 1; i <= texts; i++)
	text[i] = made[i]
}

# carry_out - the rule that ends here

function carry_out(	at, n, i) {
    if (file == "" || place == "")
	return
    if (each)
	repeat()
    if (old != "") {
	for (i = 1; i <= count; i++)
	    if (line[i] ~ place && (n = index(line[i], old)) > 0) {
		texts = 1
		text[1] = substr(line[i], 1, n - 1) new \
		    substr(line[i], n + length(old))
		insert(i++)
		at = i
	    }
    } else {
	at = (from == "" ? 1 : find(1, from) + 1)
	at = (from != "" && at == 1 ? 0 : find(at, place))
	if (at)
	    insert(at)
    }
    if (!at)
	print file ": no line that matches " place \
	    (from == "" ? "" : ", below one that matches " from)
    from = place = old = each = ""
    texts = 0
}

# begin - the first of the files that is there

function begin(	i) {
    for (i = 2; i <= NF; i++) {
	file = $i
	if (load())
	    return
    }
    print $2 ": no such file"
    file = ""
}

FILENAME == PROTO {
    if (/^%PARAM /)
	parameter[++parameters] = $2
    next
}
/^\+/ { text[++texts] = substr($0, 2); next }
/^(in|from|before|copy) / && (texts || old != "") { carry_out() }
/^in / { if (file != "") store(); begin() }
/^from / { from = substr($0, 6) }
/^(before|copy) / { place = substr($0, index($0, " ") + 1) }
/^each-parameter/ { each = 1 }
/^with / { old = $2; new = $3 }
END { carry_out(); if (file != "") store() }
