/** Waiting until space that was given back on btrfs is counted as free: whoever deleted it may ask for it next. */
import { pause } from '../../kit/backoff.ts';
import type { Filesystems } from '../../linux/filesystem.ts';

/** What is freed in a transaction is free when that is done; where btrfs was nearly full, only when it has removed what became empty. */
const waits = [10, 40, 100, 250] as const;

/** Returns when there is more than `before`, or after a while: what was removed may have shared all its bytes. */
export async function untilFreed(
  folder: string,
  before: bigint,
  {
    commit,
    filesystems,
  }: {
    readonly commit: (folder: string) => Promise<void>;
    readonly filesystems: Pick<Filesystems, 'usage'>;
  },
): Promise<void> {
  const never = new AbortController().signal;
  for (const wait of waits) {
    await commit(folder);
    if ((await filesystems.usage(folder)).bytes.available > before) return;
    await pause(wait, never);
  }
}
