#!/bin/sh
# Makes the tcp-*.pcap captures beside this file: a real nginx and real clients in two network namespaces (prefix e1ns), a third
# one between them loses, delays, duplicates and reorders frames (tcp-wire.py: `tc netem` in user space, for kernels without sch_netem).
# Needs root, nginx, curl, python3, tcpdump, iproute2, ethtool. Only headers are kept (snap length 96), which also makes every
# data packet one cut by the capture. Run it from any directory; it cleans up after itself.
# With a name (tcp-make.sh tcp-duplicate) it makes that capture alone.
set -eu
only=${1:-}
want() { [ -z "$only" ] || [ "$only" = "$1" ]; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
a=e1ns-client b=e1ns-server w=e1ns-wire
nginx_pid= wire_pid=
stop() {
    [ -z "$wire_pid" ] || kill "$wire_pid" 2>/dev/null || true
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
    ip netns del $a 2>/dev/null || true
    ip netns del $b 2>/dev/null || true
    ip netns del $w 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
ip netns add $a
ip netns add $b
ip netns add $w
ip link add e1ns-va netns $a type veth peer name e1ns-wa netns $w
ip link add e1ns-vb netns $b type veth peer name e1ns-wb netns $w
ip -n $a addr add 10.91.0.1/24 dev e1ns-va
ip -n $b addr add 10.91.0.2/24 dev e1ns-vb
for end in "$a e1ns-va" "$b e1ns-vb" "$w e1ns-wa" "$w e1ns-wb"; do
    set -- $end
    # The wire forwards bytes as they are, so checksums and segments must be real ones.
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1
    ip netns exec "$1" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
    ip -n "$1" link set "$2" up
    ip -n "$1" link set lo up
done
echo "0 0 0 0 0 0 0 0" >"$work/wire"
ip netns exec $w python3 "$here/tcp-wire.py" e1ns-wa e1ns-wb "$work/wire" &
wire_pid=$!
mkdir -p "$work/www" "$work/log"
head -c 40000 /dev/urandom >"$work/www/40k"
head -c 300 /dev/urandom >"$work/www/300"
cat >"$work/nginx.conf" <<C
worker_processes 1; daemon off; pid $work/nginx.pid; error_log $work/log/error.log; user root;
events { worker_connections 256; }
http { access_log $work/log/access.log; client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
  uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
  server { listen 10.91.0.2:8080; root $work/www; keepalive_requests 100; } }
C
ip netns exec $b nginx -c "$work/nginx.conf" -p "$work" &
nginx_pid=$!
sleep 1

shape() { # loss, delay ms, jitter ms, reorder probability: of the client's frames, then of the server's
    echo "$@" >"$work/wire"
    sleep 0.2
}
capture() { # $1 namespace, $2 device, $3 name
    ip netns exec "$1" tcpdump -q -n -s 96 -i "$2" -w "$here/$3" tcp 2>/dev/null &
    pid=$!
    sleep 1
}
end() {
    sleep 1
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}
get() { ip netns exec $a curl -s "$@" >/dev/null || true; }

if want tcp-loss-server; then
shape 0.04 10 0 0 0.04 10 0 0
capture $b e1ns-vb tcp-loss-server.pcap
for _ in 1 2 3 4 5 6; do get http://10.91.0.2:8080/40k http://10.91.0.2:8080/300 http://10.91.0.2:8080/40k; done
end
fi
if want tcp-loss-client; then
shape 0.04 10 0 0 0.04 10 0 0
capture $a e1ns-va tcp-loss-client.pcap
for _ in 1 2 3 4 5 6; do get http://10.91.0.2:8080/40k http://10.91.0.2:8080/300 http://10.91.0.2:8080/40k; done
end
fi
if want tcp-reorder; then
shape 0 5 0 0 0 10 0 0.2
capture $a e1ns-va tcp-reorder.pcap
for _ in 1 2 3 4; do get http://10.91.0.2:8080/40k http://10.91.0.2:8080/300; done
end
fi
if want tcp-delay; then
shape 0 15 5 0 0 5 0 0
capture $a e1ns-va tcp-delay.pcap
for _ in 1 2 3 4 5; do get http://10.91.0.2:8080/300 http://10.91.0.2:8080/300 http://10.91.0.2:8080/300; done
end
fi
# Some frames arrive twice, the second copy later than those behind it.
if want tcp-duplicate; then
shape 0 5 0 0 0 5 0 0 0.1 0.15
capture $a e1ns-va tcp-duplicate.pcap
for _ in 1 2 3 4; do get http://10.91.0.2:8080/40k http://10.91.0.2:8080/300; done
end
fi
if want tcp-zero-window; then
# A client that does not read closes its window; then it reads everything.
shape 0 2 0 0 0 2 0 0
capture $a e1ns-va tcp-zero-window.pcap
ip netns exec $a python3 -c "
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(('10.91.0.2', 8080))
s.sendall(b'GET /40k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'); time.sleep(3)
while s.recv(4096): time.sleep(0.01)
"
end
fi
if want tcp-ends; then
# Nobody listens; nobody answers; a health check; an abrupt end.
shape 0 2 0 0 0 2 0 0
capture $a e1ns-va tcp-ends.pcap
ip netns exec $a python3 -c "
import socket, struct, time
def reset(s): s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()
try: socket.create_connection(('10.91.0.2', 9), 2)
except OSError: pass
try: socket.create_connection(('10.91.0.9', 9), 1)
except OSError: pass
reset(socket.create_connection(('10.91.0.2', 8080), 2))
s = socket.create_connection(('10.91.0.2', 8080), 2); s.sendall(b'GET /300 HTTP/1.1\r\nHost: x\r\n\r\n'); s.recv(100); reset(s)
s = socket.create_connection(('10.91.0.2', 8080), 2); s.shutdown(socket.SHUT_WR); time.sleep(0.2); s.close()
"
ip -n $b link set e1ns-vb down
ip netns exec $a ip neigh replace 10.91.0.2 lladdr 02:00:00:00:00:01 dev e1ns-va nud permanent
ip netns exec $a python3 -c "
import socket
try: socket.create_connection(('10.91.0.2', 8080), 4)
except OSError: pass
"
end
fi
ls -l "$here"/tcp-*.pcap
