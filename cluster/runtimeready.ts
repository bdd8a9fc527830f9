/** Whether containerd answers the kubelet's interface (CRI): it answers its own some time before that, when it has just started. */
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';

const timeoutMs = 5_000;

/** Calls `runtime.v1.RuntimeService/Version` over a Unix socket; true when that succeeds, which a kubelet needs to stay. */
export function answersKubelet(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect('http://localhost', { createConnection: () => connectSocket(socketPath) });
    const done = (answers: boolean): void => {
      resolve(answers);
      session.destroy();
    };
    session.setTimeout(timeoutMs, () => {
      done(false);
    });
    session.on('error', () => {
      done(false);
    });
    const call = session.request({
      ':method': 'POST',
      ':path': '/runtime.v1.RuntimeService/Version',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // A refusal has its status in the headers, an answer in the trailers behind it.
    const judge = (headers: Readonly<Record<string, unknown>>): void => {
      const status = headers['grpc-status'];
      if (status !== undefined) done(status === '0');
    };
    call.on('response', judge).on('trailers', judge);
    call.on('error', () => {
      done(false);
    });
    call.on('close', () => {
      done(false);
    });
    call.resume();
    // An empty message: not compressed, no bytes.
    call.end(Buffer.alloc(5));
  });
}
