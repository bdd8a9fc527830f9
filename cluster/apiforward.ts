/**
 * A program, not a library: makes a cluster's API server reachable from this machine without a link or route on it. It
 * runs in the cluster's network with a socket that already listens on the machine's loopback as descriptor 3.
 * $1 host and $2 port of the API server.
 */
import { connect, createServer } from 'node:net';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ host, port: Number(port), allowHalfOpen: true });
  client.setNoDelay(true);
  server.setNoDelay(true);
  // Either side's failure ends the other; the client sees a closed connection, as from a server that is down.
  client.on('error', () => server.destroy());
  server.on('error', () => client.destroy());
  client.on('close', () => server.destroy());
  server.on('close', () => client.destroy());
  client.pipe(server).pipe(client);
}).listen({ fd: 3 });
