/** Checks an unmounted filesystem as far as that can be done without asking anybody: ext4 by `e2fsck -p`. */
import { BerthError } from '../kit/errors.ts';
import { isHeld } from './blockdevice.ts';
import { filesystemStateOf } from './superblockfile.ts';
import { runTool } from './tool.ts';
import type { ToolResult } from './tool.ts';

/** A large filesystem with many files takes minutes to check entirely; one whose journal is replayed, milliseconds. */
const checkTimeout = 15 * 60_000;
/** Bits of e2fsck's exit code (e2fsck(8)). 2 says "reboot", which means the filesystem of a running system's root. */
const exit = { corrected: 1, reboot: 2, uncorrected: 4 } as const;

/** What an exit code of e2fsck means: whether something was corrected. Throws when the filesystem cannot be used as it is. */
export function judgeCheck({ exitCode, said }: ToolResult): boolean {
  if ((exitCode & ~(exit.corrected | exit.reboot)) === 0) return exitCode !== 0;
  if ((exitCode & exit.uncorrected) === 0) throw new BerthError('IO_FAILED', `e2fsck failed with ${exitCode}: ${said}`);
  throw new BerthError(
    'FAILED_PRECONDITION',
    `the filesystem has damage that cannot be corrected without loss; save what is precious, then run e2fsck -y on its device: ${said}`,
  );
}

/** Replays the journal and corrects what is safe; `whole` also reads everything of a clean filesystem. True when it was changed. */
export async function checkExt4(
  device: string,
  { whole = false }: { readonly whole?: boolean } = {},
): Promise<boolean> {
  return judgeCheck(await runTool(['e2fsck', '-p', ...(whole ? ['-f'] : []), device], { timeoutMs: checkTimeout }));
}

/** See `Filesystems.check`. */
export async function check(device: string): Promise<void> {
  const state = await filesystemStateOf(device);
  // Mounted somewhere, be it in another mount namespace: then the kernel has seen to it.
  if (state === undefined || state.clean || (await isHeld(device))) return;
  if (state.type === 'ext4') {
    await checkExt4(device);
    return;
  }
  throw new BerthError(
    'FAILED_PRECONDITION',
    `the ${state.type} was not made or repaired to its end; run xfs_repair on its device`,
  );
}
