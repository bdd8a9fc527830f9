import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, encodeFrame, errorText, largestBody } from './protocol.ts';

const header = { protocol: 1, variables: { CNI_COMMAND: 'ADD', CNI_ARGS: 'K=ü' } };

test('a frame arrives whole however it is cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.integer({ min: 1, max: 40 })), (body, cuts) => {
      const frame = encodeFrame(header, body);
      const reader = new FrameReader();
      let at = 0;
      let result;
      for (const cut of [...cuts, frame.length]) {
        const piece = frame.slice(at, at + cut);
        at += piece.length;
        if (piece.length > 0) result ??= reader.push(piece);
      }
      expect(result?.header).toEqual(header);
      expect(result?.body).toEqual(body);
    }),
  );
});

test('a frame that announces too much is refused before it has arrived', () => {
  const lengths = new Uint8Array(8);
  new DataView(lengths.buffer).setUint32(4, largestBody + 1);
  expect(() => new FrameReader().push(lengths)).toThrow(/too large/);
});

test('bytes that are no frame never do worse than throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        new FrameReader().push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});

test('an error has the members of the specification', () => {
  expect(JSON.parse(errorText('1.1.0', 11, 'later', 'why'))).toEqual({
    cniVersion: '1.1.0',
    code: 11,
    msg: 'later',
    details: 'why',
  });
});
