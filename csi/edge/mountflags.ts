/** The mount flags a StorageClass may set. What is not in the list could undo what Berth relies on, or reach other devices. */
import { quote } from '../../kit/quote.ts';
import { invalid } from './fields.ts';

const words = new Set(
  [
    ['ro', 'rw', 'sync', 'async', 'dirsync', 'noexec', 'exec', 'nosuid', 'nodev', 'discard', 'nodiscard'],
    ['atime', 'noatime', 'diratime', 'nodiratime', 'relatime', 'strictatime', 'lazytime', 'defaults'],
    // XFS
    ['inode64', 'largeio', 'nolargeio', 'swalloc', 'wsync', 'attr2', 'ikeep', 'noikeep'],
    // ext4
    ['acl', 'noacl', 'user_xattr', 'auto_da_alloc', 'noauto_da_alloc', 'barrier', 'delalloc', 'nodelalloc'],
  ].flat(),
);

const settings: readonly RegExp[] = [
  /^(logbufs=[2-8]|logbsize=\d{1,6}k?|allocsize=\d{1,10}[kmg]?)$/,
  /^(commit=\d{1,5}|data=(ordered|journal|writeback)|errors=(continue|remount-ro)|stripe=\d{1,9}|barrier=[01])$/,
  // SELinux labels, which the kubelet adds when CSIDriver.seLinuxMount is on.
  /^(context|fscontext|defcontext|rootcontext)="?[A-Za-z0-9_.:-]+(,c\d+)*"?$/,
];

const maxBytes = 4096;

/** Throws INVALID_ARGUMENT for a flag that is not in the list. `nodev` and `nosuid` are always on. */
export function checkMountFlags(flags: readonly string[]): void {
  let bytes = 0;
  for (const flag of flags) {
    bytes += Buffer.byteLength(flag);
    if (words.has(flag) || settings.some((pattern) => pattern.test(flag))) continue;
    throw invalid(`mount flag ${quote(flag)} is not allowed`);
  }
  if (bytes > maxBytes) throw invalid(`mount_flags have ${bytes} bytes; ${maxBytes} are allowed`);
}
