/** Probes for the agent on this node, which is asked over its sockets. */
import type { ServiceState } from '../../health.ts';
import type { NodeConfig } from '../../nodeconfig.ts';
import { plugins } from '../../part.ts';
import { version } from '../../version.ts';
import { agentsOf } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown, warning, worstOf } from '../finding.ts';
import type { Evidence, Verdict } from '../finding.ts';
import { always, probe } from '../probe.ts';
import type { Probe } from '../probe.ts';

/** How a service of the agent is, as its view `services` tells; `version` is the agent's. */
type ServiceFacts = ServiceState & { readonly version?: string };

interface AgentsSnapshot {
  readonly services: readonly ServiceFacts[];
  /** Sockets on which an agent answers. */
  readonly alive: readonly string[];
  /** Sockets that are there and on which nobody answers. */
  readonly dead: readonly Evidence[];
  readonly socket: string;
}

async function readAgents(context: DoctorContext): Promise<AgentsSnapshot> {
  const answers = await agentsOf(context, 'services');
  const refused = answers.filter((answer) => 'error' in answer);
  return {
    services: answers.flatMap((answer) => ('items' in answer ? answer.items : [])).filter(isFacts),
    // One without the view is older, and lives.
    alive: answers.flatMap((answer) => ('items' in answer || answer.kind === 'absent' ? answer.socket : [])),
    dead: refused
      .filter(({ kind }) => kind === 'dead' || kind === 'failed')
      .map(({ socket, error }) => ({ what: error.message, from: socket })),
    socket: context.config.agent.socket,
  };
}

function isFacts(item: unknown): item is ServiceFacts {
  const { name, reason = '', version: its = '' } = (item ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === 'string' && typeof reason === 'string' && typeof its === 'string';
}

const logs = 'kubectl -n berth-system logs -l app.kubernetes.io/component=agent --tail=50';

function judgeSockets({ alive, dead, socket }: AgentsSnapshot): Verdict {
  const evidence = alive.map((from) => ({ what: 'answers', from }));
  if (dead.length > 0)
    return failure(
      `the agent does not answer on ${dead.map(({ from }) => from).join(', ')}: it was ended, or hangs`,
      `${logs} --previous tells why; the kubelet starts it again, else kubectl -n berth-system rollout restart daemonset/berth`,
      ...dead,
    );
  if (alive.length > 0) return pass('the agent answers', ...evidence);
  return warning(
    'no agent runs on this node',
    'kubectl apply -k daemonset/ installs it; kubectl -n berth-system get pods -o wide tells whether one is on this node',
    { what: 'no such socket', from: socket },
  );
}

function judgeServices(
  { services, alive }: AgentsSnapshot,
  config: Pick<NodeConfig, 'network' | 'devices' | 'storage'>,
): Verdict {
  if (alive.length === 0) return unknown('there is no agent to ask: see agent.socket');
  if (services.length === 0) return unknown('the agent is of a version that does not tell');
  const wanted = plugins.filter((each) => config[each] !== undefined);
  const verdicts = wanted.map((name): Verdict => {
    const found = services.find((service) => service.name === name);
    if (found === undefined)
      return failure(
        `no agent runs the plugin ${name}, which this NodeConfig has`,
        'kubectl -n berth-system rollout restart daemonset/berth',
        { what: 'no such service', from: 'the agent' },
      );
    if (found.reason === undefined) return pass(`${name} serves`, { what: `${name} serves`, from: 'the agent' });
    return failure(`${name} does not serve: ${found.reason}`, logs, {
      what: found.reason,
      from: `the agent's service ${name}`,
    });
  });
  return worstOf(verdicts, `${wanted.join(', ')}: serving`);
}

function judgeVersion({ services, alive }: AgentsSnapshot, own: string): Verdict {
  if (alive.length === 0) return unknown('there is no agent to ask: see agent.socket');
  const versions = [...new Set(services.flatMap((service) => service.version ?? []))];
  const evidence = { what: `agent ${versions.join(', ') || 'unknown'}, this program ${own}`, from: 'the agent' };
  if (versions.length === 0) return unknown('the agent is of a version that does not tell', undefined, evidence);
  if (versions.every((each) => each === own)) return pass(`agent and program are ${own}`, evidence);
  return warning(
    `the agent is ${versions.join(', ')}, and this program ${own}: it may judge by other rules`,
    'run the agent’s own: kubectl -n berth-system exec POD -- berth doctor',
    evidence,
  );
}

export const agentProbes: readonly Probe[] = [
  probe({
    id: 'agent.socket',
    title: 'an agent answers on this node',
    why: 'Without it running pods keep what they have, and new ones do not start.',
    mend: '`kubectl -n berth-system rollout restart daemonset/berth`; `kubectl -n berth-system logs POD --previous` tells why it ended.',
    of: always,
    read: readAgents,
    judge: judgeSockets,
  }),
  probe({
    id: 'agent.services',
    title: 'all plugins serve, and are registered with the kubelet',
    why: 'The agent tells of each plugin why it does not: a pool that cannot be opened, a kubelet that has not asked yet, a socket that was refused.',
    mend: 'What the reason names; the log of the agent says more.',
    of: always,
    read: readAgents,
    judge: judgeServices,
  }),
  probe({
    id: 'agent.version',
    title: 'the agent is of the version of this program',
    why: 'A doctor of another version asks for other things.',
    mend: '`kubectl -n berth-system exec POD -- berth doctor`',
    of: always,
    read: readAgents,
    judge: (snapshot) => judgeVersion(snapshot, version),
  }),
];
