/** What the metrics show of a pool, read at every scrape. */
import type { StorageKernel } from './kernel.ts';
import type { PoolFigures } from './metrics.ts';
import type { OpenPool } from './openpool.ts';

/** Never rejects: a pool that does not answer has no bytes. */
export async function poolFigures(
  { pool, parts: { engine, ledger, trash }, volumes, snapshots }: OpenPool,
  { filesystems }: Pick<StorageKernel, 'filesystems'>,
): Promise<PoolFigures> {
  const space = async (): Promise<{ readonly total: bigint; readonly available: bigint }> =>
    await (engine.space?.() ?? (await filesystems.usage(pool.path)).bytes);
  const { total, available } = await space().catch(() => ({ total: 0n, available: 0n }));
  const all = volumes.all();
  return {
    pool: pool.name,
    volumes: all.length,
    snapshots: snapshots.all().length,
    reserved: ledger.reserved,
    available: await ledger.available().catch(() => 0n),
    total,
    used: total - available,
    trash: trash.bytes,
    sizes: all.reduce((sum, { bytes }) => sum + bytes, 0n),
  };
}
