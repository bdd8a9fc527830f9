/** Why a pod waits, or does not run: sentences first, and what they rest on. Pure. */
import { conditionOf } from '../objects.ts';
import type { ContainerStatus, PodObject } from '../objects.ts';
import { seenOr } from '../seen.ts';
import { claimConclusions } from './claim.ts';
import { eventsEvidence, latestWarning, nodesEvidence, poolsEvidence, unitsEvidence } from './evidence.ts';
import { askedResources } from './devices.ts';
import { obstaclesOf } from './nodes.ts';
import type { NodeObstacles } from './nodes.ts';
import type { Evidence, Explanation, PodSight } from './sight.ts';

export function explainPod(sight: PodSight): Explanation {
  const { pod, fleet, events, claims } = sight;
  const about = `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
  const spec = pod.spec ?? {};
  const obstacles = obstaclesOf(spec, claims, fleet);
  const conclusions = spec.nodeName === undefined ? whyPending(about, sight, obstacles) : whyNotRunning(about, sight);
  const resources = [...askedResources(spec).keys()];
  const evidence: readonly Evidence[] = [
    ...(spec.nodeName === undefined ? nodesEvidence(obstacles) : []),
    ...unitsEvidence(resources, fleet),
    ...(claims.length > 0 ? poolsEvidence(fleet) : []),
    ...eventsEvidence(seenOr(events, []), about),
    ...claims.flatMap((claim) => eventsEvidence(seenOr(claim.events, []), `the claim ${claim.name}`)),
  ];
  return { about, conclusions: [...conclusions, ...unseenOf(sight)], evidence };
}

function whyPending(about: string, sight: PodSight, nodes: readonly NodeObstacles[]): readonly string[] {
  const { pod, claims } = sight;
  const missing = claims.filter(({ claim }) => 'seen' in claim && claim.seen === undefined);
  const scheduled = conditionOf(pod, 'PodScheduled');
  const said = scheduled?.message === undefined ? [] : [`The scheduler says: ${scheduled.message}`];
  if (missing.length > 0)
    return [
      ...missing.map(({ name }) => `${about} waits for the claim ${name}, which does not exist; make it`),
      ...said,
    ];
  if (scheduled?.reason === 'SchedulingGated') return [`${about} is held back by its own scheduling gates`, ...said];
  if (nodes.length === 0) return [`${about} has no node yet`, ...said];
  const abouts = [...new Set(nodes.flatMap(({ obstacles }) => obstacles.map((each) => each.about)))];
  const everywhere = abouts.filter((each) => nodes.every(({ obstacles }) => obstacles.some(isAbout(each))));
  const conclusions = everywhere.map((each) => `${about} waits for ${each}: ${perNode(nodes, each)}`);
  const free = nodes.filter(({ obstacles }) => obstacles.length === 0).map(({ node }) => node);
  // What has been said of every node is not said again.
  const others = claims.filter(({ name }) => !everywhere.includes(`the claim ${name}`));
  const claimWords = others.flatMap((claim) =>
    claimConclusions(claim, sight.fleet).filter((line) => /cannot|failed/.test(line)),
  );
  if (conclusions.length > 0) return [...conclusions, ...claimWords, ...said];
  if (free.length === 0)
    return [`${about} waits, because no node has all that it asks for: ${perNode(nodes)}`, ...claimWords, ...said];
  return [`Nothing that Berth knows of keeps ${about} from ${free.slice(0, 8).join(', ')}`, ...claimWords, ...said];
}

const isAbout =
  (about: string) =>
  (obstacle: { readonly about: string }): boolean =>
    obstacle.about === about;

const mostNodes = 12;

/** `node-1 has 1, held by shop/old; node-2 and node-3: has none`. Nodes of the same words are told together. */
function perNode(nodes: readonly NodeObstacles[], about?: string): string {
  const words = Map.groupBy(nodes, ({ obstacles }) =>
    obstacles
      .filter((each) => about === undefined || each.about === about)
      .map(({ about: what, text }) => (about === undefined && what.includes('/') ? `${text} (${what})` : text))
      .join(', and '),
  );
  const told = [...words].map(([text, those]) => {
    const names = those.map(({ node }) => node);
    const shown = names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
    return names.length === 1 ? `${shown} ${text}` : `each of ${shown} ${text}`;
  });
  return told.length <= mostNodes
    ? told.join('; ')
    : `${told.slice(0, mostNodes).join('; ')}; and ${told.length - mostNodes} more like these`;
}

function whyNotRunning(about: string, { pod, events, claims, fleet }: PodSight): readonly string[] {
  const node = pod.spec?.nodeName ?? '';
  const phase = pod.status?.phase ?? 'Unknown';
  if (pod.metadata.deletionTimestamp !== undefined) return [`${about} is being deleted from ${node}`];
  const ready = conditionOf(pod, 'Ready')?.status === 'True';
  if (ready) return [`${about} runs on ${node} and is ready`];
  if (phase === 'Succeeded') return [`${about} has ended well on ${node}`];
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const stopped = containers.map(whyStopped).find((why) => why !== undefined);
  const warning = latestWarning(seenOr(events, []));
  const told = seenOr(fleet.berthNodes, []).find(({ metadata }) => metadata.name === node);
  const agent = conditionOf(told, 'Ready');
  const why = [pod.status?.message ?? pod.status?.reason, stopped].find((each) => each !== undefined && each !== '');
  return [
    `${about} is on ${node} and is ${phase === 'Running' ? 'not ready' : phase}${why === undefined ? '' : `: ${why}`}`,
    ...(warning === undefined ? [] : [`The last that ${node} tells: ${warning}`]),
    ...(agent !== undefined && agent.status !== 'True'
      ? [`Berth is not well on ${node}: ${agent.message ?? agent.reason ?? agent.status}`]
      : []),
    ...claims.flatMap((claim) => claimConclusions(claim, fleet).filter((line) => !line.includes(' is bound '))),
  ];
}

function whyStopped({ name, state }: ContainerStatus): string | undefined {
  const { waiting, terminated } = state ?? {};
  if (waiting !== undefined) {
    const { reason = 'Waiting', message = '' } = waiting;
    return `the container ${name} waits: ${reason}${message === '' ? '' : `: ${message}`}`;
  }
  if (terminated === undefined || terminated.exitCode === 0) return undefined;
  return `the container ${name} ended with ${terminated.exitCode ?? '?'} (${terminated.reason ?? 'Error'})`;
}

/** So that nobody takes for absent what could only not be seen. */
function unseenOf({ fleet, events, claims }: PodSight): readonly string[] {
  const unseen = (what: string, sight: { readonly why?: string }): string[] =>
    sight.why === undefined ? [] : [`${what} could not be seen: ${sight.why}`];
  return [
    ...unseen('Nodes', 'unseen' in fleet.nodes ? fleet.nodes : {}),
    ...(fleet.agentsUnseen === '' ? [] : [`What the nodes have could not be seen: ${fleet.agentsUnseen}`]),
    ...unseen('Events', 'unseen' in events ? events : {}),
    ...claims.flatMap(({ name, claim }) => unseen(`The claim ${name}`, 'unseen' in claim ? claim : {})),
  ];
}

/** For the text of `pod`. */
export function claimsOf({ metadata, spec }: PodObject): readonly string[] {
  return (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name}-${name}`];
  });
}
