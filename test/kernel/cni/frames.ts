// One exchange on the agent's socket with a header of the test's choice, as an executable of another age would have it.
import { connect } from 'node:net';
import { FrameReader } from '../../../cni/protocol.ts';

function frameOf(header: object, body: string): Buffer {
  const [head, rest] = [Buffer.from(JSON.stringify(header)), Buffer.from(body)];
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(head.length, 0);
  lengths.writeUInt32BE(rest.length, 4);
  return Buffer.concat([lengths, head, rest]);
}

/** Exit code and body of the answer. Rejects when there is none. */
export async function exchange(path: string, header: object, body: string): Promise<{ exit: unknown; body: string }> {
  return await new Promise((resolve, reject) => {
    const reader = new FrameReader();
    const socket = connect(path, () => socket.write(frameOf(header, body)));
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error('the agent ended the connection without an answer'));
    });
    socket.on('data', (chunk) => {
      const frame = reader.push(chunk as Uint8Array);
      if (frame === undefined) return;
      resolve({ exit: (frame.header as { exit?: unknown }).exit, body: new TextDecoder().decode(frame.body) });
      socket.destroy();
    });
  });
}
