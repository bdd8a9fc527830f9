/**
 * The last look before a container starts, also at each restart: the kubelet repeats the answer of an allocation that may
 * be weeks old, and this is where a device that is gone is said to be gone instead of failing in the runtime.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../../kit/backoff.ts';
import { BerthError, errnoOf } from '../../kit/errors.ts';
import type { DevNode } from '../inventory/inventory.ts';
import type { ResourceState, Unit } from '../units/unit.ts';
import { unitIdOf } from './deviceid.ts';
import { isPluggable, mayUseCdi } from './injection.ts';
import { numberOfNode } from '../inventory/nodenumber.ts';

/** The kubelet waits 30 s for the whole call. */
const timeoutMs = 10_000;

/**
 * Whether the kubelet should ask before each start: where a device may have come back as another, or a CDI file must be
 * fresh. Asked once per registration, so a resource that has nothing yet counts as one that will.
 */
export function needsPreStart({ rule, units }: ResourceState): boolean {
  const all = [...units.values()];
  return (rule.injection === 'cdi' && mayUseCdi(rule)) || all.length === 0 || all.some(mayComeBack);
}

/** What kind of device a unit is that nobody has seen, nobody knows. */
function mayComeBack(unit: Unit): boolean {
  return unit.members.length === 0 || isPluggable(unit);
}

/** Throws NOT_FOUND or FAILED_PRECONDITION for the first unit that is not there with its nodes, TIMED_OUT when looking hangs. */
export async function checkPresent(state: ResourceState, ids: readonly string[], devRoot: string): Promise<void> {
  const { rule, units } = state;
  const over = new AbortController();
  const check = async (): Promise<void> => {
    for (const id of new Set(ids.map(unitIdOf))) {
      const unit = units.get(id);
      if (unit === undefined)
        throw new BerthError('NOT_FOUND', `${rule.name}: this node has no device "${id}" (any more)`);
      await checkUnit(rule.name, unit, devRoot, over.signal);
    }
  };
  const late = async (): Promise<void> => {
    if (await pause(timeoutMs, over.signal))
      throw new BerthError(
        'TIMED_OUT',
        `${rule.name}: looking at the device nodes took longer than ${timeoutMs / 1000} s`,
      );
  };
  await Promise.race([check(), late()]).finally(() => {
    over.abort();
  });
}

async function checkUnit(resource: string, unit: Unit, devRoot: string, over: AbortSignal): Promise<void> {
  if (!unit.present)
    throw new BerthError('FAILED_PRECONDITION', `${resource}: ${unit.id} ${unit.unhealthy ?? 'is gone from the node'}`);
  for (const node of [...unit.members.map((member) => member.node), ...unit.companions]) {
    over.throwIfAborted();
    const problem = await problemOfNode(node, devRoot);
    if (problem !== undefined)
      throw new BerthError('FAILED_PRECONDITION', `${resource}: ${node.path} of ${unit.id} ${problem}`);
  }
}

async function problemOfNode({ path, number }: DevNode, devRoot: string): Promise<string | undefined> {
  try {
    const found = numberOfNode(await stat(join(devRoot, path.slice('/dev/'.length)), { bigint: true }));
    if (found === number) return undefined;
    return found === undefined ? 'is no device node' : `is another device now (${found}, it was ${number})`;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    return errno === 'ENOENT' ? 'is gone from the node' : `cannot be looked at: ${errno ?? String(thrown)}`;
  }
}
