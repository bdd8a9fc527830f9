/** Writes tar archives (ustar) in memory. No reading; paths of up to 255 bytes where a slash parts them well, else of 100. */
import { BerthError } from './errors.ts';

export type TarEntry =
  | { readonly path: string; readonly type: 'file'; readonly content: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly type: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string };

const block = 512;

/** The archive of the entries, in their order, owned by root and dated 1970, so that equal content is an equal archive. */
export function createTar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry));
    if (entry.type !== 'file') continue;
    parts.push(entry.content);
    parts.push(Buffer.alloc((block - (entry.content.length % block)) % block));
  }
  parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}

function header(entry: TarEntry): Buffer {
  const bytes = Buffer.alloc(block);
  const text = (value: string, offset: number, length: number): void => {
    if (Buffer.byteLength(value) > length) {
      throw new BerthError('INVALID_ARGUMENT', `"${value}" is longer than the ${length} bytes a tar header has for it`);
    }
    bytes.write(value, offset);
  };
  const octal = (value: number, offset: number, length: number): void => {
    text(value.toString(8).padStart(length - 1, '0'), offset, length);
  };
  const types = { file: '0', symlink: '2', folder: '5' };
  const modes = { file: 0o644, symlink: 0o777, folder: 0o755 };
  const [prefix, name] = partsOf(entry.type === 'folder' ? `${entry.path}/` : entry.path);
  text(name, 0, 100);
  text(prefix, 345, 155);
  octal('mode' in entry ? (entry.mode ?? modes[entry.type]) : modes[entry.type], 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.type === 'file' ? entry.content.length : 0, 124, 12);
  octal(0, 136, 12);
  text(types[entry.type], 156, 1);
  if (entry.type === 'symlink') text(entry.target, 157, 100);
  text('ustar', 257, 6);
  text('00', 263, 2);
  // The checksum is taken with its own field full of spaces.
  bytes.fill(' ', 148, 156);
  octal(
    bytes.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return bytes;
}

/** A long path goes into two fields, the first of which ends before a slash. */
function partsOf(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (name !== '' && Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  return ['', path];
}
