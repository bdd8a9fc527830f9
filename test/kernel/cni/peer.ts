// One end of a TCP conversation inside a namespace. `serve`: answers every line with the caller's address. `ask ADDRESS`:
// prints the answer. `hold ADDRESS`: keeps one connection, asks for each line of its input and prints the answer. Both take a
// port as well. `serve-udp NAME` answers every datagram with its name; `hold-udp` sends from one port for each line of input.
// `count-udp` sends a datagram each 5 ms until its input ends, and then prints how many it sent and how many were answered.
// `push ADDRESS PORT BYTES` sends so many bytes to a `sink` and prints the milliseconds until all had arrived.
import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';

const usual = 7700;
const [mode, address = '', asked = '', size = ''] = process.argv.slice(2);
const port = asked === '' ? usual : Number(asked);

if (mode === 'serve') {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(`${socket.remoteAddress?.replace('::ffff:', '') ?? ''}\n`));
  }).listen(port, '::', () => process.stdout.write('listening\n'));
} else if (mode === 'sink') {
  createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end('done'));
    socket.resume();
  }).listen(usual, '::', () => process.stdout.write('listening\n'));
} else if (mode === 'push') {
  const begin = performance.now();
  const socket = connect({ host: address, port, allowHalfOpen: true }, () => socket.end(Buffer.alloc(Number(size))));
  socket.on('data', () => process.stdout.write(`${Math.round(performance.now() - begin)}\n`));
} else if (mode === 'serve-udp') {
  // Both families, as this one takes IPv4 as well.
  const socket = createSocket('udp6', (_message, from) => {
    socket.send(address, from.port, from.address);
  });
  socket.bind(usual, () => process.stdout.write('listening\n'));
} else if (mode === 'count-udp') {
  let [sent, answered, ended] = [0, 0, false];
  const finish = (): void => {
    process.stdout.write(`${sent} sent, ${answered} answered\n`, () => process.exit(0));
  };
  const socket = createSocket('udp4', () => {
    if (++answered === sent && ended) finish();
  });
  const timer = setInterval(() => {
    sent++;
    socket.send('x', port, address);
  }, 5);
  process.stdout.write('ready\n');
  process.stdin.resume().on('end', () => {
    clearInterval(timer);
    ended = true;
    if (answered === sent) finish();
    else setTimeout(finish, 10_000);
  });
} else if (mode === 'hold-udp') {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4', (answer) =>
    process.stdout.write(`${answer.toString()}\n`),
  );
  process.stdout.write('ready\n');
  process.stdin.on('data', (line) => {
    socket.send(line, port, address);
  });
} else {
  const socket = connect({ host: address, port });
  socket.setTimeout(15_000, () => {
    process.stdout.write('timeout\n');
    process.exit(1);
  });
  socket.on('error', (error) => {
    process.stdout.write(`${error.message}\n`);
    process.exit(1);
  });
  socket.on('connect', () => {
    if (mode === 'ask') socket.write('who am I\n');
    else {
      process.stdout.write('connected\n');
      process.stdin.on('data', (line) => socket.write(line));
    }
  });
  socket.on('data', (answer) => {
    process.stdout.write(answer, () => {
      if (mode === 'ask') process.exit(0);
    });
  });
}
