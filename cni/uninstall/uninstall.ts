/** Takes Berth's network off a node that no agent runs on any more: looks, plans, removes. Can be repeated at any point. */
import { lstat, readdir, readlink, rm, rmdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { temporaryPrefix } from '../../kit/durablefile.ts';
import { BerthError, errnoOf } from '../../kit/errors.ts';
import { readRegularFile } from '../../kit/regularfile.ts';
import { RouteError, largestBatch } from '../../linux/rtnetlink/rtnetlink.ts';
import type { RouteSocket } from '../../linux/rtnetlink/rtnetlink.ts';
import { recordName } from '../attachment.ts';
import type { NetworkConfig } from '../config.ts';
import { tableName } from '../datapath.ts';
import { largestConflist, pluginType, socketPath } from '../install.ts';
import type { NetworkKernel } from '../kernel.ts';
import { routeMaker } from '../nodes/noderoutes.ts';
import { deleteLinksRequests } from '../plan.ts';
import { keyOfDel, queueFolder } from '../queue/entry.ts';
import { obstacles, planUninstall } from './plan.ts';
import type { Installed, Removal } from './plan.ts';

export interface UninstallOptions {
  readonly config: NetworkConfig;
  readonly kernel: Pick<NetworkKernel, 'rtnetlink' | 'openNftables'>;
  /** Also with containers that have their network from Berth, which lose it. */
  readonly force: boolean;
  /** Only looks, which is refused to nobody. */
  readonly dryRun: boolean;
}

export interface Uninstalled {
  /** What was removed, or would be. */
  readonly removals: readonly Removal[];
  /** Of a dry run: why it would be refused, a sentence each. */
  readonly refusals: readonly string[];
}

/** Throws FAILED_PRECONDITION while the node still needs it. */
export async function uninstallNetwork(options: UninstallOptions): Promise<Uninstalled> {
  const { config, kernel, force, dryRun } = options;
  const host = kernel.rtnetlink.open();
  const nftables = kernel.openNftables();
  try {
    const installed: Installed = {
      agentRuns: await answers(socketPath(config)),
      attachments: await countAttachments(config.runDir),
      links: await host.links(),
      routes: [...(await host.routes(4)), ...(await host.routes(6))],
      hasTable: (await nftables.list(tableName)) !== undefined,
      paths: await ourPaths(config),
    };
    const refusals = obstacles(installed, force);
    const plan = planUninstall(installed, tableName);
    if (dryRun) return { removals: plan, refusals };
    if (refusals.length > 0) throw new BerthError('FAILED_PRECONDITION', refusals.join('; '));
    for (const removal of plan) if (removal.kind === 'file') await rm(removal.path, { recursive: true, force: true });
    await removeLinks(plan, host);
    await removeRoutes(plan, host);
    if (installed.hasTable) await nftables.run([{ op: 'delete-table', table: tableName }]);
    await removeEmpty(config.runDir);
    return { removals: plan, refusals: [] };
  } finally {
    host.close();
    nftables.close();
  }
}

/** Whether somebody listens on a Unix socket. */
async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) => {
      if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(errnoOf(error) ?? '')) resolve(false);
      else reject(error);
    });
  });
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Without an agent, what the runtime has deleted since waits in the queue: its record is still there, and its container is not. */
async function countAttachments(runDir: string): Promise<number> {
  const records = await namesIn(join(runDir, 'attachments'));
  const deleted = (await namesIn(join(runDir, queueFolder))).flatMap((name) => {
    const key = keyOfDel(name);
    return key === undefined ? [] : [recordName(key)];
  });
  return records.filter((name) => !name.startsWith(temporaryPrefix) && !deleted.includes(name)).length;
}

/** The configuration list goes first: from then on the runtime has no network, and sends no pods. */
async function ourPaths(config: NetworkConfig): Promise<readonly string[]> {
  const conflist = join(config.cniConfDir, config.conflistName);
  const loopback = join(config.cniBinDir, 'loopback');
  const own = ['attachments', queueFolder, 'refused', 'podcidr', 'cni.sock'];
  const candidates = [
    ...((await isOurConflist(conflist)) ? [conflist] : []),
    ...((await targetOf(loopback)) === pluginType ? [loopback] : []),
    join(config.cniBinDir, pluginType),
    ...own.map((name) => join(config.runDir, name)),
  ];
  const found = await Promise.all(candidates.map(async (path) => ((await exists(path)) ? [path] : [])));
  return found.flat();
}

/** Somebody may have put another list under the name. */
async function isOurConflist(path: string): Promise<boolean> {
  try {
    const content = JSON.parse(await readRegularFile(path, largestConflist)) as { readonly plugins?: unknown } | null;
    const plugins = content?.plugins;
    return Array.isArray(plugins) && plugins.some((plugin: { type?: unknown } | null) => plugin?.type === pluginType);
  } catch (error) {
    if (
      error instanceof SyntaxError ||
      error instanceof BerthError ||
      ['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')
    )
      return false;
    throw error;
  }
}

async function targetOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

async function removeLinks(plan: readonly Removal[], host: RouteSocket): Promise<void> {
  const indexes = plan.flatMap((removal) => (removal.kind === 'link' ? [removal.index] : []));
  for (let at = 0; at < indexes.length; at += largestBatch - 1)
    try {
      await host.apply(deleteLinksRequests(indexes.slice(at, at + largestBatch - 1)));
    } catch (error) {
      // One that vanished by itself, with its namespace; the others were deleted all the same.
      if (!(error instanceof RouteError && error.code === 'ENODEV')) throw error;
    }
}

async function removeRoutes(plan: readonly Removal[], host: RouteSocket): Promise<void> {
  const requests = plan.flatMap((removal) => {
    if (removal.kind !== 'route') return [];
    const { destination, index, via } = removal;
    return [{ op: 'delete-route', destination, index, protocol: routeMaker, ...(via === '' ? {} : { via }) } as const];
  });
  for (let at = 0; at < requests.length; at += largestBatch) await host.apply(requests.slice(at, at + largestBatch));
}

/** The folder may hold what belongs to volumes, and in a pod it is a mount. */
async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
  }
}
