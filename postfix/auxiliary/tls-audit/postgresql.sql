-- Audit records of many mail servers in PostgreSQL (13 or later)
--
--	createdb tls_audit
--	psql -d tls_audit -f postgresql.sql
--
-- May be run again, by a later version too: it replaces functions and views,
-- and keeps the data. README says how the records come here, and what for.
--
-- rsyslog calls tls_audit.load() for each line. It takes the line apart, and
-- puts it into the table event; or into rejected, when it is damaged. Whatever
-- the line is, load() does not fail; it does when the database cannot store it,
-- and then the line has to be loaded again. No line counts twice: it is known by
-- its time, host, process and text. When one comes again, that is counted in
-- repeated.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

BEGIN;

CREATE SCHEMA IF NOT EXISTS tls_audit;
SET LOCAL search_path = tls_audit, pg_catalog;

-- tls_audit_loader may only load, tls_audit_reader may only read. Grant them to
-- those who log in.

DO $$
BEGIN
    IF to_regrole('tls_audit_loader') IS NULL THEN
	CREATE ROLE tls_audit_loader;
    END IF;
    IF to_regrole('tls_audit_reader') IS NULL THEN
	CREATE ROLE tls_audit_reader;
    END IF;
END $$;

---------------------------------------------------------------------------
-- Tables

-- TLS security levels, from weak to strong, and the weakest auth= with which a
-- delivery has met the level. half-dane is what dane becomes without a signed MX
-- record; fallback is the fallback= value that leads to the level.

CREATE TABLE IF NOT EXISTS level (
    name		text PRIMARY KEY,
    rank		int NOT NULL,
    configured		text NOT NULL,
    authenticates	boolean NOT NULL,
    weakest_auth	int NOT NULL,
    fallback		text
);

INSERT INTO level VALUES
    ('none',		0, 'none',		false, 0, 'may'),
    ('may',		1, 'may',		false, 0, 'may'),
    ('encrypt',		2, 'encrypt',		false, 1, 'encrypt'),
    ('fingerprint',	3, 'fingerprint',	true,  4, NULL),
    ('half-dane',	4, 'dane',		true,  3, NULL),
    ('halfdane',	5, 'dane',		true,  3, NULL),
    ('dane',		6, 'dane',		true,  3, NULL),
    ('dane-only',	7, 'dane-only',		true,  4, NULL),
    ('verify',		8, 'verify',		true,  4, NULL),
    ('secure',		9, 'secure',		true,  4, NULL)
ON CONFLICT DO NOTHING;

-- What auth= says, from weak to strong.

CREATE TABLE IF NOT EXISTS auth (
    name		text PRIMARY KEY,
    rank		int NOT NULL
);

INSERT INTO auth VALUES ('Cleartext', 0), ('Anonymous', 1), ('Untrusted', 2),
    ('Trusted', 3), ('Verified', 4)
ON CONFLICT DO NOTHING;

-- How Postfix words a TLS failure in a delivery status (LIKE patterns), and the
-- reason= keyword for it. The ones that only authentication makes are marked.

CREATE TABLE IF NOT EXISTS failure (
    reply		text PRIMARY KEY,
    reason		text NOT NULL,
    authentication	boolean NOT NULL
);

INSERT INTO failure VALUES
    ('TLS is required, but was not offered%', 'nostarttls', false),
    ('TLS is required, but host % refused to start TLS%', 'starttls-refused', false),
    ('TLS is required, but our TLS engine is unavailable%', 'local-config', false),
    ('TLS is required, but unavailable%', 'local-config', false),
    ('client TLS configuration problem%', 'local-config', false),
    ('Cannot start TLS: handshake failure%', 'handshake', false),
    ('Server certificate not trusted%', 'untrusted', true),
    ('Server certificate not verified%', 'not-verified', true),
    ('no TLSA records found%', 'tlsa-missing', true),
    ('TLSA records unusable%', 'tlsa-unusable', true),
    ('non DNSSEC destination%', 'insecure-mx', true),
    ('TLSA lookup error%', 'tlsa-lookup', true)
ON CONFLICT DO NOTHING;

-- Time zones of hosts whose time stamps have none, where that is not the zone of
-- the database session. Yours to fill.

CREATE TABLE IF NOT EXISTS zone (
    host		text PRIMARY KEY,
    zone		text NOT NULL
);

-- Everything, one row a line. kind: audit, fallback, refused, status. A
-- recipient's address is not kept, only its domain, and of a server's reply only
-- what is said about TLS.

CREATE TABLE IF NOT EXISTS event (
    time		timestamptz NOT NULL,
    id			uuid NOT NULL,
    seq			bigint GENERATED ALWAYS AS IDENTITY,
    received		timestamptz NOT NULL,
    kind		text NOT NULL,
    host		text NOT NULL,
    process		text NOT NULL,
    queue_id		text NOT NULL,
    relay		text,
    nexthop		text,
    domain		text,
    level		text,
    policy		text,
    configured		text,
    auth		text,
    reason		text,
    rule		text,
    fallback		text,
    attainable		text,
    protocol		text,
    cipher		text,
    cert_digest		text,
    spki_digest		text,
    cert_expires	timestamptz,
    dsn			text,
    tls			text,
    detail		text,
    attrs		jsonb,
    PRIMARY KEY (time, id)
) PARTITION BY RANGE (time);

CREATE INDEX IF NOT EXISTS event_queue_id ON event (queue_id);

-- Lines that are not what they look like, and how often each of them came. Seen
-- by tls_audit.input.

CREATE TABLE IF NOT EXISTS rejected (
    id			uuid PRIMARY KEY,
    received		timestamptz NOT NULL,
    why			text NOT NULL,
    host		text,
    source		text,
    length		int NOT NULL,
    line		text NOT NULL,		-- its beginning
    times		int NOT NULL DEFAULT 1
);

-- Lines that were there already: a log that was replayed, or what rsyslog had
-- sent when it was stopped, and sent again.

CREATE TABLE IF NOT EXISTS repeated (
    received		timestamptz NOT NULL,
    host		text NOT NULL,
    source		text
);

CREATE INDEX IF NOT EXISTS repeated_received ON repeated USING brin (received);

---------------------------------------------------------------------------
-- Loading

-- partition_name - of the day of a time, in UTC

CREATE OR REPLACE FUNCTION partition_name(at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT 'event_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD')
$$;

-- make_partition - for that day, unless it is there
--
-- A table that is attached, unlike one that is made in its place, does not wait
-- for those who read.

CREATE OR REPLACE FUNCTION make_partition(at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = tls_audit, pg_catalog, pg_temp AS $$
DECLARE
    name text := partition_name(at);
    midnight timestamptz := date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tls_audit.event'));
    IF to_regclass('tls_audit.' || name) IS NOT NULL THEN
	RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING DEFAULTS)', name);
    EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
	name, midnight, midnight + interval '24 hours');
END $$;

-- parse_time - a log's time stamp, null if it is none
--
-- Without a year, it is no more than a day after the line was read.

CREATE OR REPLACE FUNCTION parse_time(stamp text, read timestamptz, from_host text)
RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = tls_audit, pg_catalog, pg_temp AS $$
DECLARE
    tz text;
    this_year int;
    result timestamptz;
BEGIN
    IF stamp ~ '^\d{4}-' THEN
	RETURN stamp::timestamptz;
    END IF;
    SELECT z.zone INTO tz FROM zone z WHERE z.host = from_host;
    tz := coalesce(tz, current_setting('TimeZone'));
    this_year := extract(year FROM (read + interval '1 day') AT TIME ZONE tz);
    FOR year IN REVERSE this_year .. this_year - 4 LOOP
	CONTINUE WHEN stamp ~ '^Feb 29 '
	    AND NOT (year % 4 = 0 AND (year % 100 <> 0 OR year % 400 = 0));
	result := (stamp || ' ' || year)::timestamp AT TIME ZONE tz;
	IF result <= read + interval '1 day' THEN
	    RETURN result;
	END IF;
    END LOOP;
    RETURN NULL;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- split_pairs - name=value, name=value
--
-- A comma ends a value only when another attribute follows. The first of two
-- with the same name counts; detail is free text, and the last one. (This is
-- three times as fast as regular expressions.)

CREATE OR REPLACE FUNCTION split_pairs(pairs text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    names text[] := '{}';
    contents text[] := '{}';
    word text;
    name text;
    free_text boolean := false;
BEGIN
    FOREACH word IN ARRAY string_to_array(pairs, ', ') LOOP
	name := split_part(word, '=', 1);
	IF NOT free_text AND name <> '' AND name <> word AND name !~ '[^A-Za-z0-9_-]' THEN
	    names := names || name;
	    contents := contents || substr(word, length(name) + 2);
	    free_text := (name = 'detail');
	ELSIF names <> '{}' THEN
	    contents[cardinality(contents)] := contents[cardinality(contents)] || ', ' || word;
	END IF;
    END LOOP;
    RETURN (SELECT jsonb_object_agg(n, c ORDER BY i DESC)
	FROM unnest(names, contents) WITH ORDINALITY AS pair(n, c, i) WHERE c <> '');
END $$;

-- skip_address - what follows an address and its ">", null if nothing does
--
-- Between double quotes there may be anything.

CREATE OR REPLACE FUNCTION skip_address(rest text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN rest LIKE '"%' THEN substring(rest FROM '^"(?:[^"\\]|\\.)*"[^>]*>(.*)$')
	WHEN rest LIKE '%>%' THEN substr(rest, strpos(rest, '>') + 1) END
$$;

-- split_status - what follows "to=<", null if it is damaged
--
-- What follows status= was chosen by the server.

CREATE OR REPLACE FUNCTION split_status(rest text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    attrs text := skip_address(rest);
    domain text := lower(substring(left(rest, -1 - length(attrs)) FROM '[^@]*$'));
    pairs text;
    state text;
BEGIN
    IF attrs LIKE ', orig\_to=<%' THEN
	attrs := skip_address(substr(attrs, 12));
    END IF;
    pairs := substr(attrs, 3, strpos(attrs, ', status=') - 3);
    state := substr(attrs, length(pairs) + 12);
    IF attrs IS NULL OR attrs NOT LIKE ', relay=%, status=% (%)' THEN
	RETURN NULL;
    END IF;
    RETURN split_pairs(pairs) || jsonb_strip_nulls(jsonb_build_object('domain', nullif(domain, ''),
	'status', split_part(state, ' (', 1),
	'reply', rtrim(substr(state, strpos(state, ' (') + 2), ')')));
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- damage - why these attributes cannot be what Postfix logged, or null

CREATE OR REPLACE FUNCTION damage(kind text, attrs jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    word text;
BEGIN
    IF attrs IS NULL OR attrs = '{}' THEN
	RETURN 'no attributes';
    ELSIF attrs->>'relay' !~ '^([^ \[\]]+\[[^\]]*\](:\d+)?|none)$' THEN
	RETURN 'relay';
    ELSIF attrs->>'dsn' !~ '^\d\.\d+\.\d+$' THEN
	RETURN 'dsn';
    ELSIF kind = 'audit' AND NOT attrs ?| ARRAY['level', 'configured', 'auth'] THEN
	RETURN 'no level';
    ELSIF kind = 'fallback' AND NOT attrs ?& ARRAY['relay', 'policy', 'level', 'reason']
	OR kind = 'refused' AND NOT attrs ?& ARRAY['relay', 'policy', 'reason', 'rule'] THEN
	RETURN 'cut';
    ELSIF attrs ? 'auth' AND NOT EXISTS (SELECT 1 FROM tls_audit.auth
	WHERE name = attrs->>'auth') THEN
	RETURN 'auth';
    END IF;
    FOREACH word IN ARRAY ARRAY[attrs->>'level', attrs->>'policy', attrs->>'configured'] LOOP
	IF word IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tls_audit.level WHERE name = word) THEN
	    RETURN 'level';
	END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- reject - take note of a line that is not used

CREATE OR REPLACE FUNCTION reject(read timestamptz, from_source text, text, text, text)
RETURNS void
LANGUAGE sql SET search_path = tls_audit, pg_catalog, pg_temp AS $$
    INSERT INTO rejected AS old (id, received, why, host, source, length, line)
    VALUES (md5(concat_ws(E'\t', $4, $5))::uuid, read, $3, $4, from_source,
	length($5), left($5, 500))
    ON CONFLICT (id) DO UPDATE SET times = old.times + 1
$$;

-- read_event - the JSON object that rsyslog made of a line, null if it is none
--
-- The connection's encoding is LATIN1, in which any byte is valid. Where the text
-- is valid UTF-8 then this is what it was.

CREATE OR REPLACE FUNCTION read_event(event text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    utf8 text := event;
BEGIN
    IF event ~ '[^\x01-\x7f]' THEN
	BEGIN
	    utf8 := convert_from(convert_to(event, 'LATIN1'), 'UTF8');
	EXCEPTION WHEN data_exception OR feature_not_supported THEN
	    NULL;
	END;
    END IF;
    RETURN utf8::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION read_json(record text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN record::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- load - one line, as rsyslog has read it
--
-- event is a JSON object with kind, time, host, program, pid, queue_id and text
-- (see postlog.rulebase), source is where it was found. The result is what
-- rsyslog's omprog wants to hear.

CREATE OR REPLACE FUNCTION load(read timestamptz, from_source text, event text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tls_audit, pg_catalog, pg_temp AS $$
DECLARE
    done CONSTANT text := 'OK';
    line jsonb := read_event(event);
    kind text := line->>'kind';
    body text := ltrim(line->>'text');
    host text := line->>'host';
    process text := (line->>'program') || '[' || (line->>'pid') || ']';
    queue_id text := line->>'queue_id';
    whole text;
    at timestamptz;
    a jsonb;
    why text;
    tls_reason text;
    expires timestamptz;
BEGIN
    -- What it is.
    IF line IS NULL OR kind IS NULL OR kind NOT IN ('audit', 'fallback', 'refused', 'status') THEN
	PERFORM reject(read, from_source, CASE WHEN kind = 'other' THEN 'cut' ELSE 'no log line' END,
	    host, coalesce(line->>'originalmsg',
		concat_ws(' ', line->>'time', host, process || ':', line->>'text'), event));
	RETURN done;
    END IF;
    whole := concat_ws(' ', line->>'time', host, process || ':', kind, queue_id || ':', line->>'text');

    -- What it says.
    IF kind = 'audit' AND body LIKE '{%' THEN
	a := read_json(body);
	why := CASE WHEN a IS NULL THEN 'JSON' END;
    ELSIF kind = 'status' THEN
	a := split_status(body);
    ELSE
	a := split_pairs(body);
    END IF;
    at := parse_time(line->>'time', read, host);
    why := CASE
	WHEN length(body) > 4000 THEN 'too long'
	WHEN queue_id !~ '^[0-9A-Za-z]{1,32}$' THEN 'queue ID'
	WHEN at IS NULL THEN 'time'
	WHEN at > read + interval '2 days' THEN 'in the future'
	WHEN at < read - interval '400 days' THEN 'too old'
	ELSE coalesce(why, damage(kind, a))
    END;
    BEGIN
	expires := (a->>'cert_expires')::timestamptz;
    EXCEPTION WHEN data_exception THEN
	why := coalesce(why, 'cert_expires');
    END;
    IF why IS NOT NULL THEN
	PERFORM reject(read, from_source, why, host, whole);
	RETURN done;
    END IF;

    -- Of a server's reply, keep what Postfix says about TLS.
    IF kind = 'status' THEN
	IF a->>'status' <> 'sent' THEN
	    SELECT f.reason INTO tls_reason FROM failure f
	    WHERE a->>'reply' LIKE f.reply;
	END IF;
	a := a || jsonb_strip_nulls(jsonb_build_object('reason', tls_reason,
	    'detail', CASE WHEN tls_reason IS NOT NULL THEN a->>'reply' END));
	a := a - 'reply';
    END IF;

    IF to_regclass('tls_audit.' || partition_name(at)) IS NULL THEN
	PERFORM make_partition(at);
    END IF;
    INSERT INTO event (time, id, received, kind, host, process, queue_id, relay,
	nexthop, domain, level, policy, configured, auth, reason, rule, fallback,
	attainable, protocol, cipher, cert_digest, spki_digest, cert_expires, dsn,
	tls, detail, attrs)
    VALUES (at, md5(concat_ws(' ', host, process, kind, queue_id, line->>'text'))::uuid, read, kind, host, process, queue_id, a->>'relay',
	lower(a->>'nexthop'), a->>'domain', a->>'level', a->>'policy',
	a->>'configured', a->>'auth', a->>'reason', a->>'rule', a->>'fallback',
	a->>'attainable', a->>'protocol', a->>'cipher', a->>'cert_digest',
	a->>'spki_digest', expires, a->>'dsn', a->>'tls', a->>'detail',
	a - ARRAY['relay', 'nexthop', 'domain', 'level', 'policy', 'configured',
	    'auth', 'reason', 'rule', 'fallback', 'attainable', 'protocol', 'cipher',
	    'cert_digest', 'spki_digest', 'cert_expires', 'dsn', 'tls', 'detail',
	    'queue_id', 'relay_host', 'relay_addr', 'relay_port'])
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
	INSERT INTO repeated VALUES (read, host, from_source);
    END IF;
    RETURN done;
END $$;

-- maintain - once a day: make tomorrow's partition, forget what is too old
--
-- Removing a partition takes no time, however large it is.

CREATE OR REPLACE FUNCTION maintain(keep interval DEFAULT '400 days') RETURNS SETOF text
LANGUAGE plpgsql SET search_path = tls_audit, pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    PERFORM make_partition(now());
    PERFORM make_partition(now() + interval '1 day');
    FOR name IN
	SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
	WHERE inhparent = 'event'::regclass AND relname < partition_name(now() - keep)
	ORDER BY relname
    LOOP
	EXECUTE format('DROP TABLE %I', name);
	RETURN NEXT name;
    END LOOP;
    DELETE FROM rejected WHERE received < now() - keep;
    DELETE FROM repeated WHERE received < now() - keep;
    ANALYZE event;			-- autovacuum does only its partitions
END $$;

---------------------------------------------------------------------------
-- Reading

-- Views are made anew, as their columns may be others in a later version.

DROP VIEW IF EXISTS proposal, readiness, fallbacks_today, certificates_expiring,
    key_changes, undelivered, regressions, input CASCADE;
DROP FUNCTION IF EXISTS judge(int, interval, timestamptz);
DROP VIEW IF EXISTS delivery;

-- week - weeks since 1970

CREATE OR REPLACE FUNCTION week(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT floor(extract(epoch FROM at) / 604800)::bigint
$$;

-- warning_of - the first warning about the same message and server
--
-- What an audit record of the template standard does not have is there. (The
-- functions that views use for each row say tls_audit. instead of setting a
-- search_path, as only then they become part of the query.)

CREATE OR REPLACE FUNCTION warning_of(e event) RETURNS SETOF event
LANGUAGE sql STABLE AS $$
    SELECT w.* FROM tls_audit.event w
    WHERE w.queue_id = e.queue_id AND w.host = e.host AND w.process = e.process
	AND w.relay = e.relay AND w.kind IN ('fallback', 'refused')
	AND w.time BETWEEN e.time - interval '20 minutes' AND e.time
    ORDER BY w.kind, w.seq LIMIT 1
$$;

-- only_domain - of the recipients of this message at this server
--
-- Known only where delivery status lines are kept.

CREATE OR REPLACE FUNCTION only_domain(e event) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT min(s.domain) FROM tls_audit.event s
    WHERE s.queue_id = e.queue_id AND s.host = e.host AND s.process = e.process
	AND s.relay = e.relay AND s.kind = 'status'
	AND s.time BETWEEN e.time AND e.time + interval '1 minute'
    HAVING count(DISTINCT s.domain) = 1 AND count(*) = count(s.domain)
$$;

-- delivery - audit records, and delivery statuses that say more than these
--
-- One row for each transfer that has an audit record; else, for each recipient
-- whose delivery status has tls=, or who was not delivered because of TLS. policy
-- is what was asked for, null when that was not logged; effective is what it fell
-- back to. undelivered: because of TLS, and nothing else is known. attained: what
-- could have been asked for of a server that need not authenticate; null where
-- nobody knows.

CREATE VIEW delivery AS
WITH found AS (
    SELECT e.time, e.seq, e.host, e.process, e.queue_id, e.relay, e.auth,
	coalesce(e.nexthop, w.nexthop, d.domain, split_part(e.relay, '[', 1), '?') AS destination,
	CASE WHEN coalesce(e.nexthop, w.nexthop) IS NOT NULL THEN 'nexthop'
	    WHEN d.domain IS NOT NULL THEN 'recipient' ELSE 'relay' END AS source,
	coalesce(e.policy, e.level, e.configured) AS asked,
	CASE WHEN e.policy IS NOT NULL THEN e.level END AS effective,
	e.policy IS NULL AND (e.auth IS NULL OR a.rank >= l.weakest_auth) AS verified,
	coalesce(e.reason, CASE WHEN e.policy IS NOT NULL AND w.kind = 'fallback'
	    THEN w.reason END) AS reason,
	false AS undelivered,
	CASE WHEN l.name = 'none' OR c.authenticates OR l.name IS NULL THEN NULL
	    WHEN e.attainable IS NOT NULL THEN e.attainable
	    WHEN e.attrs ? 'verify_error' OR e.cert_expires IS NOT NULL OR a.rank < 2
	    THEN 'nothing' END AS attained,
	e.cert_expires, e.cert_digest, e.spki_digest
    FROM event e
	LEFT JOIN level l ON l.name = coalesce(e.level, e.configured)
	LEFT JOIN level c ON c.name = e.configured
	LEFT JOIN auth a ON a.name = e.auth
	LEFT JOIN LATERAL (SELECT * FROM warning_of(e) WHERE e.nexthop IS NULL
	    OR (e.policy IS NOT NULL AND e.reason IS NULL)) AS w ON true
	LEFT JOIN LATERAL (SELECT * FROM only_domain(e)
	    WHERE e.nexthop IS NULL AND w.nexthop IS NULL) AS d(domain) ON true
    WHERE e.kind = 'audit'
    UNION ALL
    SELECT e.time, e.seq, e.host, e.process, e.queue_id, e.relay, NULL,
	coalesce(w.nexthop, e.domain),
	CASE WHEN w.nexthop IS NULL THEN 'recipient' ELSE 'nexthop' END,
	CASE WHEN t.word IS NULL THEN w.policy
	    WHEN t.word[4] = '' THEN t.word[2] END,	-- not "secure?": TLS was not reached
	CASE WHEN EXISTS (SELECT 1 FROM level n WHERE n.name = t.word[2] AND n.authenticates)
	    THEN t.word[3] END,
	t.word IS NOT NULL AND t.word[1] = '' AND t.word[3] IS NULL,
	CASE WHEN t.word[3] IS NOT NULL THEN w.reason ELSE e.reason END,
	e.tls IS NULL, NULL, NULL, NULL, NULL
    FROM event e
	LEFT JOIN LATERAL (SELECT regexp_match(split_part(e.tls, '/', 1),
	    '^(!?)([a-z0-9_-]+)(?::([a-z0-9_-]+))?(\??)$') AS word) AS t ON true
	LEFT JOIN LATERAL warning_of(e) AS w ON true
    WHERE e.kind = 'status' AND (e.tls IS NOT NULL OR e.reason IS NOT NULL)
	AND coalesce(w.nexthop, e.domain) IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM event a	-- its audit record
	    WHERE a.queue_id = e.queue_id AND a.host = e.host AND a.process = e.process
		AND a.relay = e.relay AND a.kind = 'audit'
		AND a.time BETWEEN e.time - interval '1 minute' AND e.time)
)
SELECT f.time, f.seq, f.host, f.process, f.queue_id, f.destination, f.source, f.relay,
    l.configured AS policy, coalesce(l.authenticates, false) AS authenticates,
    f.asked AS logged_policy, f.effective, f.auth, f.verified, f.reason, f.undelivered,
    f.attained, f.cert_expires, f.cert_digest, f.spki_digest
FROM found f LEFT JOIN level l ON l.name = f.asked;

-- was_ready - there was a time with enough deliveries, all verified
--
-- By week. In the week of the first failure, what was verified came before it.

CREATE OR REPLACE FUNCTION was_ready(weeks bigint[], good bigint[], bad bigint[],
    first_good timestamptz, first_bad timestamptz, minimum int, span interval)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    count bigint := 0;
    begun bigint;
    lasted interval;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(weeks), 0) LOOP
	IF count = 0 THEN
	    begun := weeks[i];
	END IF;
	lasted := (weeks[i] - begun) * interval '7 days';
	IF bad[i] > 0 THEN
	    IF weeks[i] = tls_audit.week(first_bad) AND first_good IS NOT NULL THEN
		count := count + good[i];
		lasted := first_bad - first_good;
	    END IF;
	    IF count > 0 AND count >= minimum AND lasted >= span THEN
		RETURN true;
	    END IF;
	    count := 0;
	ELSE
	    count := count + good[i];
	END IF;
    END LOOP;
    RETURN false;
END $$;

-- stuck - recipients not delivered because of TLS, at a server that is on a route
--
-- A route is a nexthop that has mail for other domains than its own (relayhost,
-- transport_maps). What is stuck counts against it when its server has mail for no
-- other nexthop, and the recipient's domain is not known as a nexthop.

CREATE OR REPLACE FUNCTION stuck() RETURNS TABLE (nexthop text, at timestamptz, reason text)
LANGUAGE sql STABLE SET search_path = tls_audit, pg_catalog, pg_temp AS $$
WITH failed AS (
    SELECT e.relay, e.time, e.reason
    FROM event e LEFT JOIN LATERAL warning_of(e) AS w ON true
    WHERE e.kind = 'status' AND e.reason IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM event n WHERE n.nexthop = coalesce(w.nexthop, e.domain))
), server AS (
    SELECT n.relay, min(n.nexthop) AS nexthop FROM event n
    WHERE n.kind = 'audit' AND n.nexthop IS NOT NULL AND n.relay IN (SELECT f.relay FROM failed f)
    GROUP BY n.relay HAVING count(DISTINCT n.nexthop) = 1
), route AS (
    SELECT DISTINCT v.nexthop FROM server v WHERE EXISTS (
	SELECT 1 FROM event a JOIN event s ON s.queue_id = a.queue_id AND s.host = a.host
	    AND s.process = a.process AND s.relay = a.relay AND s.kind = 'status'
	    AND s.time BETWEEN a.time AND a.time + interval '1 minute'
	WHERE a.kind = 'audit' AND a.nexthop = v.nexthop AND s.domain <> a.nexthop
	    AND NOT EXISTS (SELECT 1 FROM event o
		WHERE o.kind = 'audit' AND o.queue_id = a.queue_id AND o.host = a.host
		    AND o.process = a.process AND o.relay = a.relay AND o.nexthop <> a.nexthop
		    AND o.time BETWEEN a.time - interval '1 minute' AND a.time + interval '1 minute'))
)
SELECT v.nexthop, f.time, f.reason
FROM failed f JOIN server v USING (relay) JOIN route r USING (nexthop)
$$;

-- judge - which policies can be enforced, and which could be
--
-- The verdicts of posttls-audit(1), READINESS and ATTAINABLE in its manual page:
-- a policy is ready with at least so many deliveries over so much time. Only the
-- present policy of each host counts, hosts that have the same are added up.

CREATE FUNCTION judge(minimum int DEFAULT 20, span interval DEFAULT '7 days',
    at timestamptz DEFAULT now())
RETURNS TABLE (verdict text, destination text, source text, policy text,
    authenticates boolean, deliveries bigint, verified bigint, secure bigint,
    warnings bigint, why text, reason text, fallback text,
    first_verified timestamptz, last_verified timestamptz,
    last_failure timestamptz, hosts text, failing_hosts text, policies bigint,
    regressed boolean)
LANGUAGE sql STABLE SET search_path = tls_audit, pg_catalog, pg_temp AS $$
WITH fact AS (		-- what counts for or against a policy
    SELECT d.destination, d.source, d.host, d.policy, d.authenticates, d.time, true AS delivery,
	CASE WHEN d.authenticates THEN d.verified ELSE d.attained <> 'nothing' END AS good,
	NOT d.authenticates AND d.attained = 'secure' AS secure, d.reason, d.effective
    FROM delivery d
    WHERE d.policy IS NOT NULL AND (d.authenticates OR d.attained IS NOT NULL)
    UNION ALL
    SELECT coalesce(w.nexthop, split_part(w.relay, '[', 1)),
	CASE WHEN w.nexthop IS NULL THEN 'relay' ELSE 'nexthop' END, w.host,
	l.configured, true, w.time, false, false, false, w.reason, w.level
    FROM event w JOIN level l ON l.name = w.policy AND l.authenticates
    WHERE w.kind IN ('fallback', 'refused')
), present AS (		-- the policy that a host logged last
    SELECT DISTINCT ON (f.destination, f.source = 'relay', f.host)
	f.destination, f.source = 'relay' AS guess, f.host, f.policy, f.authenticates,
	min(f.time) AS first
    FROM fact f JOIN level l ON l.name = f.policy
    GROUP BY f.destination, f.source = 'relay', f.host, f.policy, f.authenticates
    ORDER BY f.destination, f.source = 'relay', f.host, max(f.time) DESC, max(l.rank) DESC
), unknown AS (		-- failures whose policy was not logged
    SELECT d.destination, d.source, d.host, d.time, d.reason,
	last_value(d.reason) OVER (PARTITION BY d.destination, d.source = 'relay', d.host
	    ORDER BY d.time, d.reason ROWS BETWEEN UNBOUNDED PRECEDING
	    AND UNBOUNDED FOLLOWING) AS last_reason,
	max(d.time) OVER (PARTITION BY d.destination, d.source = 'relay', d.host) AS last
    FROM delivery d WHERE d.undelivered AND d.policy IS NULL
), used AS (
    SELECT f.*, p.guess, week(f.time) AS week FROM fact f
	JOIN present p USING (destination, host, policy)
    WHERE p.guess = (f.source = 'relay')
    UNION ALL
    SELECT u.destination, u.source, u.host, p.policy, p.authenticates, u.time, true, false, false,
	u.reason, NULL, p.guess, week(u.time)
    FROM unknown u JOIN present p ON p.destination = u.destination AND p.host = u.host
	AND p.guess = (u.source = 'relay') AND p.authenticates
    WHERE u.last >= p.first AND week(u.time) >= week(p.first)
    UNION ALL
    SELECT u.destination, u.source, u.host, NULL, true, u.time, true, false, false,
	u.reason, NULL, u.source = 'relay', week(u.time)
    FROM unknown u LEFT JOIN present p ON p.destination = u.destination AND p.host = u.host
	AND p.guess = (u.source = 'relay')
    WHERE p.authenticates IS NOT TRUE
	AND u.last_reason IN (SELECT f.reason FROM failure f WHERE f.authentication)
    UNION ALL		-- no host: it is not known which one has which policy
    SELECT k.nexthop, 'nexthop', NULL, p.policy, true, k.at, true, false, false,
	k.reason, NULL, false, week(min(k.at) OVER (PARTITION BY k.nexthop))
    FROM stuck() k JOIN (SELECT DISTINCT n.destination, n.policy FROM present n
	WHERE n.authenticates AND NOT n.guess) AS p ON p.destination = k.nexthop
), weekly AS (
    SELECT u.destination, u.guess, u.policy, u.week,
	count(*) FILTER (WHERE u.delivery AND u.good) AS good,
	count(*) FILTER (WHERE u.delivery AND NOT u.good) AS bad
    FROM used u GROUP BY u.destination, u.guess, u.policy, u.week
), history AS (
    SELECT w.destination, w.guess, w.policy, array_agg(w.week ORDER BY w.week) AS weeks,
	array_agg(w.good ORDER BY w.week) AS good, array_agg(w.bad ORDER BY w.week) AS bad
    FROM weekly w GROUP BY w.destination, w.guess, w.policy
), state AS (
    SELECT u.destination, min(u.source) AS source, u.guess, u.policy, u.authenticates,
	count(*) FILTER (WHERE u.delivery) AS deliveries,
	count(*) FILTER (WHERE u.delivery AND u.good) AS verified,
	count(*) FILTER (WHERE u.secure) AS secure,
	count(*) FILTER (WHERE NOT u.delivery) AS warnings,
	min(u.time) FILTER (WHERE u.good) AS first_verified,
	max(u.time) FILTER (WHERE u.good) AS last_verified,
	min(u.time) FILTER (WHERE NOT u.good) AS first_failure,
	max(u.time) FILTER (WHERE NOT u.good) AS last_failure,
	(array_agg(u.reason ORDER BY u.time DESC, u.reason DESC)
	    FILTER (WHERE NOT u.good AND u.reason IS NOT NULL))[1] AS reason,
	(SELECT l.fallback FROM level l
	    WHERE l.rank = min(e.rank) ORDER BY l.name LIMIT 1) AS fallback,
	string_agg(DISTINCT u.host, ' ' ORDER BY u.host) AS hosts,
	string_agg(DISTINCT u.host, ' ' ORDER BY u.host) FILTER (WHERE NOT u.good) AS failing_hosts
    FROM used u LEFT JOIN level e ON e.name = u.effective
    GROUP BY u.destination, u.guess, u.policy, u.authenticates
), counted AS (		-- verified deliveries after the last failure, and since when
    SELECT s.*, h.weeks, h.good, h.bad,
	count(*) OVER (PARTITION BY s.destination, s.guess) AS policies,
	CASE WHEN s.last_failure IS NULL THEN s.verified
	    ELSE (SELECT coalesce(sum(w.good), 0) FROM unnest(h.weeks, h.good) AS w(week, good)
		WHERE w.week > week(s.last_failure))
	END AS clean,
	greatest(s.last_failure, s.first_verified) AS since,
	s.last_failure > at - interval '30 days' AS failing
    FROM state s JOIN history h ON h.destination = s.destination AND h.guess = s.guess
	AND h.policy IS NOT DISTINCT FROM s.policy
), enough AS (
    SELECT c.*, CASE
	WHEN c.clean < minimum THEN format('fewer than %s', minimum)
	WHEN c.last_verified - c.since < span THEN format('less than %s days',
	    ceil(extract(epoch FROM span) / 86400))
	WHEN c.last_verified < at - interval '30 days' THEN format('last seen %s days ago',
	    floor(extract(epoch FROM at - c.last_verified) / 86400))
	END AS lack
    FROM counted c
), judged AS (
    SELECT e.*, CASE
	WHEN e.authenticates THEN CASE
	    WHEN e.deliveries > 0 AND e.verified = 0 THEN 'broken'
	    WHEN e.deliveries = 0 THEN 'too few'
	    WHEN e.failing THEN 'mixed'
	    WHEN e.lack IS NULL THEN 'enforce'
	    ELSE 'too few' END
	WHEN e.deliveries < minimum THEN 'too few'
	WHEN e.verified = 0 THEN 'cannot'
	WHEN e.failing THEN 'mixed'
	WHEN e.lack IS NULL THEN 'could enforce'
	ELSE 'too few' END AS verdict
    FROM enough e
)
SELECT j.verdict, j.destination, j.source, j.policy, j.authenticates, j.deliveries, j.verified,
    j.secure, j.warnings,
    nullif(concat_ws('; ', CASE
	WHEN j.verdict = 'could enforce'
	    THEN CASE WHEN j.secure < j.verified THEN 'verify' ELSE 'secure' END
	WHEN NOT j.authenticates AND j.deliveries < minimum THEN format('fewer than %s', minimum)
	WHEN j.verdict IN ('cannot', 'mixed') AND NOT j.authenticates THEN NULL
	WHEN j.verdict IN ('broken', 'mixed') OR j.deliveries = 0 THEN
	    CASE WHEN j.verified < j.deliveries THEN format('%s not verified: %s',
		j.deliveries - j.verified, coalesce(j.reason, 'reason not logged'))
	    ELSE format('warned: %s', coalesce(j.reason, 'reason not logged')) END
	    || CASE WHEN j.failing_hosts <> j.hosts THEN format(' (on %s)', j.failing_hosts)
	    ELSE '' END
	ELSE j.lack END,
	CASE WHEN j.policies > 1 THEN 'policy of ' || j.hosts END), ''),
    j.reason, j.fallback, j.first_verified, j.last_verified, j.last_failure,
    j.hosts, j.failing_hosts, j.policies,
    j.authenticates AND j.verdict <> 'enforce' AND coalesce(j.failing, false)
	AND was_ready(j.weeks, j.good, j.bad, j.first_verified, j.first_failure, minimum, span)
FROM judged j
ORDER BY j.deliveries DESC, j.warnings DESC, j.destination
$$;

-- readiness - the verdicts with the usual limits

CREATE VIEW readiness AS
SELECT verdict, destination, policy, deliveries, verified, warnings, why, last_verified,
    last_failure, hosts, source
FROM judge();

-- regressions - destinations that could be enforced, and no longer can

CREATE VIEW regressions AS
SELECT destination, policy, reason, last_verified, last_failure, failing_hosts
FROM judge() WHERE regressed
ORDER BY last_failure DESC, destination;

-- propose - entries for smtp_tls_policy_maps that follow from the verdicts
--
-- As posttls-audit -P. An entry begins with "#" when it is not complete: a name
-- that is a guess, hosts that have different policies, a match= that is not logged.

CREATE OR REPLACE FUNCTION propose(minimum int DEFAULT 20, span interval DEFAULT '7 days',
    at timestamptz DEFAULT now())
RETURNS TABLE (destination text, entry text, verdict text, deliveries bigint, verified bigint,
    last_failure timestamptz, reason text)
LANGUAGE sql STABLE SET search_path = tls_audit, pg_catalog, pg_temp AS $$
    SELECT j.destination,
	CASE WHEN j.source <> 'nexthop' OR j.policies > 1 OR j.destination ~ '[ ?\\"]|^#'
	    OR j.policy = 'fingerprint' OR (j.verdict = 'could enforce' AND j.secure < j.verified)
	    THEN '#' ELSE '' END
	|| CASE WHEN j.source = 'nexthop' THEN j.destination ELSE 'NEXTHOP' END || E'\t'
	|| CASE WHEN j.verdict = 'could enforce' THEN 'secure'
	    WHEN j.policy = 'fingerprint' THEN 'fingerprint match=AS-BEFORE'
	    ELSE j.policy END || ' fallback='
	|| CASE j.verdict WHEN 'enforce' THEN 'none'
	    WHEN 'could enforce' THEN (SELECT l.fallback FROM level l WHERE l.name = j.policy)
	    ELSE j.fallback END,
	j.verdict, j.deliveries, j.verified, j.last_failure, j.reason
    FROM judge(minimum, span, at) j
    WHERE j.policy IS NOT NULL AND (j.authenticates OR j.verdict = 'could enforce')
    ORDER BY j.destination
$$;

CREATE VIEW proposal AS
SELECT * FROM propose() WHERE entry IS NOT NULL;

-- fallbacks - what was sent at a weaker level, and what was warned about

CREATE OR REPLACE FUNCTION fallbacks(since timestamptz, until timestamptz DEFAULT 'infinity')
RETURNS TABLE (destination text, relay text, policy text, level text, reason text,
    deliveries bigint, warnings bigint, first timestamptz, last timestamptz, hosts text)
LANGUAGE sql STABLE SET search_path = tls_audit, pg_catalog, pg_temp AS $$
    SELECT f.destination, f.relay, f.policy, f.level, f.reason, count(*) FILTER (WHERE f.delivery),
	count(*) FILTER (WHERE NOT f.delivery), min(f.time), max(f.time),
	string_agg(DISTINCT f.host, ' ' ORDER BY f.host)
    FROM (
	SELECT d.destination, d.relay, d.logged_policy AS policy, d.effective AS level,
	    d.reason, true AS delivery, d.time, d.host
	FROM delivery d
	WHERE d.effective IS NOT NULL AND d.time >= since AND d.time < until
	UNION ALL
	SELECT coalesce(w.nexthop, split_part(w.relay, '[', 1)), w.relay, w.policy, w.level,
	    w.reason, false, w.time, w.host
	FROM event w
	WHERE w.kind = 'fallback' AND w.time >= since AND w.time < until
    ) AS f
    GROUP BY f.destination, f.relay, f.policy, f.level, f.reason
    ORDER BY 6 DESC, 7 DESC, 1
$$;

CREATE VIEW fallbacks_today AS
SELECT * FROM fallbacks(date_trunc('day', now()));

-- certificates_expiring - within 14 days, of servers seen in the last 14 days

CREATE VIEW certificates_expiring AS
SELECT * FROM (
    SELECT DISTINCT ON (destination, relay) cert_expires AS expires, destination, relay,
	time AS last_seen, policy
    FROM delivery
    WHERE cert_expires IS NOT NULL AND time > now() - interval '14 days'
    ORDER BY destination, relay, time DESC, cert_expires DESC
) AS latest
WHERE expires < now() + interval '14 days'
ORDER BY expires, destination;

-- key_changes - the first delivery to each server after its key has changed

CREATE VIEW key_changes AS
WITH key AS (
    SELECT DISTINCT ON (relay, spki_digest) relay, spki_digest, time AS first, host, queue_id,
	destination, auth, verified,
	max(time) OVER (PARTITION BY relay, spki_digest) AS last
    FROM delivery
    WHERE spki_digest IS NOT NULL
    ORDER BY relay, spki_digest, time, seq
), change AS (
    SELECT key.*, lag(spki_digest) OVER history AS old, lag(last) OVER history AS old_last_seen
    FROM key WINDOW history AS (PARTITION BY relay ORDER BY first, spki_digest)
)
SELECT first AS changed, relay, destination, host, queue_id, auth, verified, old,
    spki_digest AS new, old_last_seen
FROM change WHERE old IS NOT NULL
ORDER BY changed DESC;

-- undelivered - mail that TLS has stopped, by destination

CREATE VIEW undelivered AS
SELECT e.reason, coalesce(w.nexthop, e.domain) AS destination, e.relay, count(*) AS recipients,
    min(e.time) AS first, max(e.time) AS last
FROM event e LEFT JOIN LATERAL warning_of(e) AS w ON true
WHERE e.kind = 'status' AND e.reason IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY last DESC;

-- input - what is wrong with what came in
--
-- A host whose time stamps are in the future has a clock that is wrong; in the
-- past, it may be a log that was read late.

CREATE VIEW input AS
SELECT date_trunc('day', received) AS day, 'rejected: ' || why AS problem, host,
    count(*) AS lines, sum(times) - count(*) AS repeats, max(line) AS example
FROM rejected GROUP BY 1, 2, 3
UNION ALL
SELECT date_trunc('day', received), 'was there already', host, count(*), 0, max(source)
FROM repeated GROUP BY 1, 2, 3
UNION ALL
SELECT date_trunc('day', received), CASE WHEN time > received
    THEN 'clock is ahead' ELSE 'clock is behind, or read late' END,
    host, count(*), 0,
    'up to ' || max(greatest(time - received, received - time))
FROM event
WHERE time > received + interval '1 hour' OR time < received - interval '1 hour'
GROUP BY 1, 2, 3
ORDER BY 1 DESC, 2, 3;

---------------------------------------------------------------------------

SELECT make_partition(now()), make_partition(now() + interval '1 day');

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tls_audit FROM PUBLIC;
GRANT USAGE ON SCHEMA tls_audit TO tls_audit_loader, tls_audit_reader;
GRANT EXECUTE ON FUNCTION load TO tls_audit_loader;
GRANT SELECT ON ALL TABLES IN SCHEMA tls_audit TO tls_audit_reader;
GRANT EXECUTE ON FUNCTION judge, stuck, was_ready, propose, fallbacks, warning_of, only_domain, week
    TO tls_audit_reader;

COMMIT;
