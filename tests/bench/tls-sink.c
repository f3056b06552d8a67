/*++
/* NAME
/*	tls-sink 1
/* SUMMARY
/*	SMTP server with STARTTLS that discards mail and counts
/* SYNOPSIS
/*	tls-sink port certificate-and-key-file
/* DESCRIPTION
/*	This program is the remote server of both Postfix versions that are
/*	compared. It handles each connection in a thread of its own,
/*	accepts everything, and does as little as possible.
/*
/*	For each line that it reads from the standard input, it writes one
/*	with the numbers, since its start, of: connections, completed TLS
/*	handshakes, resumed sessions among those, messages, and messages
/*	that arrived over TLS. The line that it reads can be a number of
/*	messages; in that case it waits for these first. When the standard
/*	input is closed it ends.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* OpenSSL library. */

#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *ssl_ctx;

 /*
  * The counters.
  */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long connections;
static long handshakes;
static long resumed;
static long messages;
static long tls_messages;

 /*
  * One connection.
  */
typedef struct {
    int     fd;
    SSL    *ssl;			/* null when in cleartext */
    char    buf[65536];
    int     len;			/* bytes in the buffer */
    int     pos;			/* bytes that were used */
} CONN;

/* die - one clear message, and out */

static void die(const char *text)
{
    fprintf(stderr, "tls-sink: %s\n", text);
    exit(1);
}

/* count - increment one or two counters */

static void count(long *first, long *second)
{
    pthread_mutex_lock(&lock);
    ++*first;
    if (second)
	++*second;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* conn_write - send reply */

static int conn_write(CONN *conn, const char *text)
{
    int     len = strlen(text);

    return (conn->ssl ? SSL_write(conn->ssl, text, len) == len :
	    write(conn->fd, text, len) == len);
}

/* conn_line - next line, without its end; null when there is no more */

static char *conn_line(CONN *conn)
{
    char   *start;
    char   *end;
    int     n;

    for (;;) {
	start = conn->buf + conn->pos;
	if ((end = memchr(start, '\n', conn->len - conn->pos)) != 0) {
	    conn->pos = end + 1 - conn->buf;
	    *end = 0;
	    if (end > start && end[-1] == '\r')
		end[-1] = 0;
	    return (start);
	}
	memmove(conn->buf, start, conn->len - conn->pos);
	conn->len -= conn->pos;
	conn->pos = 0;
	if (conn->len == sizeof(conn->buf))
	    return (0);
	n = conn->ssl ?
	    SSL_read(conn->ssl, conn->buf + conn->len,
		     (int) sizeof(conn->buf) - conn->len) :
	    (int) read(conn->fd, conn->buf + conn->len,
		       sizeof(conn->buf) - conn->len);
	if (n <= 0)
	    return (0);
	conn->len += n;
    }
}

/* conn_starttls - TLS handshake */

static int conn_starttls(CONN *conn)
{
    if (!conn_write(conn, "220 2.0.0 go ahead\r\n"))
	return (0);
    conn->len = conn->pos = 0;
    if ((conn->ssl = SSL_new(ssl_ctx)) == 0
	|| SSL_set_fd(conn->ssl, conn->fd) != 1
	|| SSL_accept(conn->ssl) != 1)
	return (0);
    count(&handshakes, SSL_session_reused(conn->ssl) ? &resumed : 0);
    return (1);
}

/* conn_data - receive one message */

static int conn_data(CONN *conn)
{
    char   *line;

    if (!conn_write(conn, "354 go ahead\r\n"))
	return (0);
    do {
	if ((line = conn_line(conn)) == 0)
	    return (0);
    } while (strcmp(line, ".") != 0);
    count(&messages, conn->ssl ? &tls_messages : 0);
    return (conn_write(conn, "250 2.0.0 accepted\r\n"));
}

/* conn_command - handle one command, return zero at the end */

static int conn_command(CONN *conn, const char *line)
{
#define IS(verb) (strncasecmp(line, verb, sizeof(verb) - 1) == 0)

    if (IS("EHLO") && conn->ssl)
	return (conn_write(conn, "250-sink.test\r\n250-PIPELINING\r\n"
			   "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"));
    if (IS("EHLO"))
	return (conn_write(conn, "250-sink.test\r\n250-PIPELINING\r\n"
			   "250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n"
			   "250 8BITMIME\r\n"));
    if (IS("STARTTLS"))
	return (conn_starttls(conn));
    if (IS("DATA"))
	return (conn_data(conn));
    if (IS("QUIT")) {
	(void) conn_write(conn, "221 2.0.0 bye\r\n");
	return (0);
    }
    return (conn_write(conn, "250 2.0.0 ok\r\n"));
}

/* serve - thread of one connection */

static void *serve(void *arg)
{
    CONN   *conn = (CONN *) arg;
    char   *line;

    if (conn_write(conn, "220 sink.test ESMTP\r\n"))
	while ((line = conn_line(conn)) != 0 && conn_command(conn, line))
	     /* void */ ;
    if (conn->ssl) {
	(void) SSL_shutdown(conn->ssl);
	SSL_free(conn->ssl);
    }
    ERR_clear_error();
    close(conn->fd);
    free(conn);
    return (0);
}

/* accept_all - thread that accepts connections */

static void *accept_all(void *arg)
{
    int     sock = *(int *) arg;
    int     on = 1;
    pthread_attr_t attr;
    pthread_t thread;
    CONN   *conn;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (;;) {
	if ((conn = calloc(1, sizeof(*conn))) == 0)
	    die("out of memory");
	if ((conn->fd = accept(sock, 0, 0)) < 0)
	    die("accept failed");
	(void) setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	count(&connections, 0);
	if (pthread_create(&thread, &attr, serve, conn) != 0)
	    die("cannot create a thread");
    }
    return (0);
}

int     main(int argc, char **argv)
{
    struct sockaddr_in sin;
    pthread_t thread;
    char    line[100];
    long    wanted;
    int     sock;
    int     on = 1;

    if (argc != 3)
	die("usage: tls-sink port certificate-and-key-file");
    signal(SIGPIPE, SIG_IGN);
    if ((ssl_ctx = SSL_CTX_new(TLS_server_method())) == 0
	|| SSL_CTX_use_certificate_chain_file(ssl_ctx, argv[2]) != 1
	|| SSL_CTX_use_PrivateKey_file(ssl_ctx, argv[2], SSL_FILETYPE_PEM) != 1)
	die("cannot use the certificate");
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(atoi(argv[1]));
    if ((sock = socket(AF_INET, SOCK_STREAM, 0)) < 0
	|| setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
	|| bind(sock, (struct sockaddr *) &sin, sizeof(sin)) < 0
	|| listen(sock, 1000) < 0)
	die("cannot listen");
    if (pthread_create(&thread, 0, accept_all, &sock) != 0)
	die("cannot create a thread");
    while (fgets(line, sizeof(line), stdin) != 0) {
	wanted = atol(line);
	pthread_mutex_lock(&lock);
	while (messages < wanted)
	    pthread_cond_wait(&changed, &lock);
	printf("%ld %ld %ld %ld %ld\n", connections, handshakes, resumed,
	       messages, tls_messages);
	pthread_mutex_unlock(&lock);
	fflush(stdout);
    }
    exit(0);
}
