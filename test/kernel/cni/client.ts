// Calls of the agent's socket as the executable makes them, without the executable; and connections that keep to no rule.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { FrameReader, encodeFrame, protocolVersion } from '../../../cni/protocol.ts';
import type { RequestHeader } from '../../../cni/protocol.ts';
import type { Answer, TestNode } from './node.ts';

export function socketOf(node: TestNode): string {
  return join(node.config.runDir, 'cni.sock');
}

/** A request as the executable sends it. */
export function requestOf(variables: Readonly<Record<string, string>>, config: object = {}): Uint8Array {
  const document = { cniVersion: '1.1.0', name: 'berth', type: 'berth', ...config };
  return encodeFrame({ protocol: protocolVersion, variables }, new TextEncoder().encode(JSON.stringify(document)));
}

/** A connection whose errors are nobody's concern. */
export function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true }, () => {
      socket.off('error', reject);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** The answer that comes over a connection. Rejects when it ends without one. */
export function answerOf(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      const frame = reader.push(chunk as Uint8Array);
      if (frame === undefined) return;
      const { exit } = frame.header as { readonly exit: number };
      resolve({ exit, stdout: new TextDecoder().decode(frame.body) });
    });
    socket.on('close', () => {
      reject(new Error('the connection ended without an answer'));
    });
  });
}

/** One call. */
export async function call(path: string, request: Uint8Array): Promise<Answer> {
  const socket = await open(path);
  const answer = answerOf(socket);
  socket.write(request);
  try {
    return await answer;
  } finally {
    socket.destroy();
  }
}

/** One call with a header of the test's choice, as an executable of another age would have it. */
export async function exchange(path: string, header: RequestHeader, document: string): Promise<Answer> {
  return await call(path, encodeFrame(header, new TextEncoder().encode(document)));
}
