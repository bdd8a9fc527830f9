/** Where a resource is, who holds it, and what is wrong with it. Pure. */
import { seenOr } from '../seen.ts';
import { freeOf, shortage, unitsOf } from './devices.ts';
import { unitsEvidence } from './evidence.ts';
import type { Explanation, FleetSight } from './sight.ts';

export function explainResource(resource: string, fleet: FleetSight): Explanation {
  const told = fleet.devices.map((each) => ({
    node: each.node,
    units: 'answer' in each ? unitsOf(each.answer.items, resource) : [],
    error: 'error' in each ? each.error : undefined,
  }));
  const having = told.filter(({ units }) => units.length > 0);
  const free = having.reduce((sum, { units }) => sum + freeOf(units), 0);
  // The kubelet keeps a resource that it has seen once.
  const others = seenOr(fleet.nodes, []).filter(
    ({ metadata, status }) =>
      Number(status?.allocatable?.[resource] ?? 0) > 0 && !having.some(({ node }) => node === metadata.name),
  );
  const where = having.map(({ node, units }) => `${node} ${shortage(units, freeOf(units))}`);
  const first =
    having.length > 0
      ? `${resource} has ${free} free on ${having.length} of ${told.length} nodes: ${where.join('; ')}`
      : others.length > 0
        ? `${resource} is not Berth's: ${others.map(({ metadata }) => metadata.name).join(', ')} has it from another plugin`
        : `No node has ${resource}: no rule makes it, or nothing fits the rule; explain device/PATH@NODE tells which`;
  const failed = told.flatMap(({ node, error }) => (error === undefined ? [] : `${node} could not be asked: ${error}`));
  const unseen = fleet.agentsUnseen === '' ? [] : [`What the nodes have could not be seen: ${fleet.agentsUnseen}`];
  return { about: resource, conclusions: [first, ...failed, ...unseen], evidence: unitsEvidence([resource], fleet) };
}
