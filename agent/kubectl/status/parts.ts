/** A line for each part of Berth over all nodes. Pure. */
import { sizeText } from '../../commands/cells.ts';
import { conditionOf } from '../objects.ts';
import type { BerthNodeObject } from '../objects.ts';
import { bytesOf } from '../quantity.ts';
import type { Known, PartVerdict, Sight } from './verdict.ts';

export function partsOf(known: readonly Known[], sight: Sight): readonly PartVerdict[] {
  const told = known.flatMap((each) => each.told ?? []);
  return [agentsPart(known, sight), ...pluginParts(told, sight)];
}

function agentsPart(known: readonly Known[], { pods }: Sight): PartVerdict {
  if ('unseen' in pods) return { part: 'Agents', state: 'unseen', text: pods.why };
  const expected = known.filter((each) => each.expected);
  const serving = expected.filter(({ agent }) => agent !== undefined && agent.why === undefined);
  const versions = new Set(known.flatMap(({ told }) => told?.status?.version ?? []));
  const version = versions.size === 0 ? '' : `, version ${[...versions].toSorted().join(' and ')}`;
  const text = `${serving.length} of ${expected.length} nodes${version}`;
  const well = expected.length > 0 && serving.length === expected.length;
  return { part: 'Agents', state: well ? 'well' : 'ill', text };
}

function pluginParts(told: readonly BerthNodeObject[], { berthNodes }: Sight): readonly PartVerdict[] {
  const of = (
    part: PartVerdict['part'],
    count: (objects: readonly BerthNodeObject[]) => { readonly text: string; readonly ill?: boolean },
  ): PartVerdict => {
    if ('unseen' in berthNodes) return { part, state: 'unseen', text: berthNodes.why };
    const having = told.filter((object) => conditionOf(object, `${part}Ready`) !== undefined);
    if (having.length === 0) return { part, state: 'off', text: 'no node has it' };
    const serving = having.filter((object) => conditionOf(object, `${part}Ready`)?.status === 'True');
    const { text, ill = false } = count(having);
    const state = serving.length === having.length && !ill ? 'well' : 'ill';
    return { part, state, text: `${serving.length} of ${having.length} nodes, ${text}` };
  };
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
  return [
    of('Network', (objects) => ({
      text: `${sum(objects.map(({ status }) => status?.network?.attachments ?? 0))} pods`,
    })),
    of('Devices', (objects) => {
      const resources = objects.flatMap(({ status }) => status?.devices?.resources ?? []);
      const devices = sum(resources.map((each) => each.devices));
      const healthy = sum(resources.map((each) => each.healthy));
      const used = sum(resources.map((each) => each.used));
      const capacity = sum(resources.map((each) => each.capacity));
      return { text: `${healthy}/${devices} healthy, ${used} of ${capacity} shares in use`, ill: healthy < devices };
    }),
    of('Storage', (objects) => {
      const storages = objects.flatMap(({ status }) => status?.storage ?? []);
      const room = sum(storages.map(({ available = '0' }) => bytesOf(available) ?? 0));
      const volumes = sum(storages.map((each) => each.volumes ?? 0));
      const snapshots = sum(storages.map((each) => each.snapshots ?? 0));
      const ill = storages.some(({ pools = [] }) => pools.some(({ reason = '' }) => reason !== ''));
      return { text: `${sizeText(room)} available, ${volumes} volumes, ${snapshots} snapshots`, ill };
    }),
  ];
}
