"""Runs a command on a terminal: terminal.py ROWS COLUMNS COMMAND…; stdin and stdout are the terminal's far end, lines "ROWS COLUMNS" on fd 3 resize it."""
import fcntl, os, pty, select, signal, struct, sys, termios

def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
resize(terminal, int(sys.argv[1]), int(sys.argv[2]))
sources = {0, 3, terminal}
while True:
    ready, _, _ = select.select(list(sources), [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if data:
            os.write(terminal, data)
        else:
            sources.discard(0)
    if 3 in ready:
        line = os.read(3, 64).split()
        if line:
            resize(terminal, int(line[0]), int(line[1]))
            os.kill(pid, signal.SIGWINCH)
        else:
            sources.discard(3)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
