/* The other side's audio for the load benchmark: speaks to every call from one socket and stamps what it hears.
 *
 *   peer ADDRESS PORT SECONDS SPEECH
 *
 * A call is known by the port that its packets come from. From its first packet on it is sent SPEECH (raw mu-law, over and
 * over) in frames of 20 ms, until nothing has come from it for half a second. Arrivals are stamped by the kernel, so what this
 * program is late by does not count against the server. SIGTERM or the end of SECONDS prints one line of JSON:
 * calls, received, intervals, in_pace (intervals of 10 to 30 ms), lost, repeated, longest_ms, sent, behind_ms (its own delay).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME = 160, HEADER = 12, PHASES = 10, BATCH = 256, MAX_CALLS = 4096, MAX_SPEECH = 1 << 22 };
static const double STEP = 0.002, FORGET = 0.5, SHORTEST = 0.010, LONGEST = 0.030;

struct call {
    int known;
    uint32_t their_ssrc, ssrc, timestamp;
    uint16_t their_sequence, sequence;
    double stamped, heard;
    int phase;
    size_t position;
    struct sockaddr_in address;
};

static struct call calls[65536];
static int active[MAX_CALLS], actives;
static unsigned char speech[MAX_SPEECH];
static size_t speech_size;
static long total_calls, received, intervals, in_pace, lost, repeated, sent;
static double longest, behind;
static volatile sig_atomic_t stopping;

static void stop(int number) { (void)number; stopping = 1; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double stamp_of(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return t.tv_sec + t.tv_nsec * 1e-9;
        }
    return 0;
}

static void take(const unsigned char *packet, const struct sockaddr_in *from, double stamped) {
    int port = ntohs(from->sin_port);
    struct call *call = &calls[port];
    uint16_t sequence = packet[2] << 8 | packet[3];
    uint32_t ssrc = (uint32_t)packet[8] << 24 | packet[9] << 16 | packet[10] << 8 | packet[11];
    received++;
    if (!call->known || call->their_ssrc != ssrc) {
        if (!call->known && actives == MAX_CALLS) return;
        if (!call->known) active[actives++] = port;
        *call = (struct call){.known = 1, .their_ssrc = ssrc, .their_sequence = sequence, .ssrc = random(), .stamped = stamped,
                              .heard = now(), .phase = total_calls++ % PHASES, .address = *from};
        return;
    }
    call->heard = now();
    uint16_t step = sequence - call->their_sequence;
    if (step == 0 || step > 30000) { repeated++; return; }
    lost += step - 1;
    double interval = stamped - call->stamped;
    call->their_sequence = sequence;
    call->stamped = stamped;
    intervals++;
    if (interval >= SHORTEST && interval <= LONGEST) in_pace++;
    if (interval > longest) longest = interval;
}

static void receive(int s) {
    static struct mmsghdr messages[BATCH];
    static struct iovec buffers[BATCH];
    static unsigned char data[BATCH][2048], control[BATCH][64];
    static struct sockaddr_in from[BATCH];
    int count = BATCH;
    while (count == BATCH) {
        for (int i = 0; i < BATCH; i++) {
            buffers[i] = (struct iovec){data[i], sizeof data[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &buffers[i],
                                                  .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]};
        }
        count = recvmmsg(s, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++)
            if (messages[i].msg_len >= HEADER) take(data[i], &from[i], stamp_of(&messages[i].msg_hdr));
    }
}

static void speak(int s, int phase) {
    static struct mmsghdr messages[MAX_CALLS];
    static struct iovec parts[MAX_CALLS][2];
    static unsigned char headers[MAX_CALLS][HEADER];
    double time = now();
    int count = 0;
    for (int i = 0; i < actives; i++) {
        struct call *call = &calls[active[i]];
        if (time - call->heard > FORGET) {
            call->known = 0;
            active[i--] = active[--actives];
            continue;
        }
        if (call->phase != phase) continue;
        unsigned char *h = headers[count];
        uint16_t sequence = htons(call->sequence++);
        uint32_t timestamp = htonl(call->timestamp), ssrc = htonl(call->ssrc);
        h[0] = 0x80, h[1] = 0;
        memcpy(h + 2, &sequence, 2), memcpy(h + 4, &timestamp, 4), memcpy(h + 8, &ssrc, 4);
        call->timestamp += FRAME;
        parts[count][0] = (struct iovec){h, HEADER};
        parts[count][1] = (struct iovec){speech + call->position, FRAME};
        call->position = (call->position + FRAME) % speech_size;
        messages[count].msg_hdr = (struct msghdr){.msg_name = &call->address, .msg_namelen = sizeof call->address,
                                                  .msg_iov = parts[count], .msg_iovlen = 2};
        count++;
    }
    for (int done = 0; done < count;) {
        int more = sendmmsg(s, messages + done, count - done, 0);
        if (more <= 0) break;
        done += more, sent += more;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: peer ADDRESS PORT SECONDS SPEECH\n"), 2;
    FILE *file = fopen(argv[4], "rb");
    if (!file) return perror(argv[4]), 1;
    speech_size = fread(speech, 1, sizeof speech, file);
    speech_size -= speech_size % FRAME;
    int s = socket(AF_INET, SOCK_DGRAM, 0), buffer = 8 << 20, on = 1;
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer)) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    if (!speech_size || bind(s, (struct sockaddr *)&address, sizeof address)) return perror("bind"), 1;
    signal(SIGTERM, stop), signal(SIGINT, stop);
    double next = now(), end = next + atof(argv[3]);
    for (int phase = 0; !stopping && next < end; phase = (phase + 1) % PHASES) {
        double ahead = next - now();
        if (ahead > 0) nanosleep(&(struct timespec){0, (long)(ahead * 1e9)}, NULL);
        else if (-ahead > behind) behind = -ahead;
        next += STEP;
        receive(s);
        speak(s, phase);
    }
    printf("{\"calls\": %ld, \"received\": %ld, \"intervals\": %ld, \"in_pace\": %ld, \"lost\": %ld, \"repeated\": %ld, "
           "\"longest_ms\": %.1f, \"sent\": %ld, \"behind_ms\": %.1f}\n",
           total_calls, received, intervals, in_pace, lost, repeated, longest * 1e3, sent, behind * 1e3);
    return 0;
}
