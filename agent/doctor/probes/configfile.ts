/** Probes for the agent's configuration file, compared with what the agent runs: the agent is asked, for only it knows. */
import type { ConfigFileView } from '../../config/configfile.ts';
import { agentsOf } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { always, probe } from '../probe.ts';
import type { Probe } from '../probe.ts';

interface ConfigSnapshot {
  /** Whether any agent answers. */
  readonly isAlive: boolean;
  /** Of each part of the agent, which may tell of the same. */
  readonly views: readonly ConfigFileView[];
}

type Told = Pick<ConfigFileView, 'file' | 'problems' | 'pending' | 'daemonSet'>;

const mostProblems = 3;
const mostFields = 12;

async function readViews(context: DoctorContext): Promise<ConfigSnapshot> {
  const answers = await agentsOf(context, 'configuration');
  return {
    isAlive: answers.some((answer) => 'items' in answer || answer.kind === 'absent'),
    views: answers.flatMap((answer) => ('items' in answer ? answer.items : [])).filter(isView),
  };
}

function isView(item: unknown): item is ConfigFileView {
  const { file, problems, pending, daemonSet } = (item ?? {}) as Readonly<Record<string, unknown>>;
  const areTexts = (list: unknown): boolean => Array.isArray(list) && list.every((each) => typeof each === 'string');
  return typeof file === 'string' && typeof daemonSet === 'string' && areTexts(problems) && areTexts(pending);
}

/** What all parts tell, each thing once; or why nothing is known. */
function toldBy({ isAlive, views }: ConfigSnapshot): Told | Verdict {
  const [first] = views;
  if (!isAlive) return unknown('there is no agent to ask: see agent.socket');
  if (first === undefined) return unknown('the agent does not tell: it is of another version, or was given no file');
  const all = (key: 'problems' | 'pending'): readonly string[] => [...new Set(views.flatMap((view) => view[key]))];
  return { ...first, problems: all('problems'), pending: all('pending') };
}

function judgeFile(snapshot: ConfigSnapshot): Verdict {
  const told = toldBy(snapshot);
  if ('severity' in told) return told;
  const { file, problems } = told;
  if (problems.length === 0) return pass(`${file} can be used`, { what: 'no mistakes', from: file });
  const more = problems.length > mostProblems ? `; and ${problems.length - mostProblems} more` : '';
  return failure(
    `${file} cannot be used, and the agent keeps what it has: ${problems.slice(0, mostProblems).join('; ')}${more}`,
    `mend the ConfigMap before an agent starts again, which it could not; kubectl -n berth-system exec POD -- berth validate ${file} names every mistake`,
    { what: `${problems.length} problems`, from: file },
  );
}

function judgePending(snapshot: ConfigSnapshot): Verdict {
  const told = toldBy(snapshot);
  if ('severity' in told) return told;
  const { file, problems, pending, daemonSet } = told;
  if (problems.length > 0) return unknown('the file cannot be used: see agent.config-file');
  if (pending.length === 0) return pass(`the agent runs with what ${file} says`, { what: 'no difference', from: file });
  const more = pending.length > mostFields ? ` and ${pending.length - mostFields} more` : '';
  return warning(
    `the configuration has changed since the agent started: ${pending.slice(0, mostFields).join(', ')}${more}`,
    `kubectl -n berth-system rollout restart daemonset/${daemonSet}`,
    { what: `${pending.length} fields are another than what runs`, from: file },
  );
}

export const configFileProbes: readonly Probe[] = [
  probe({
    id: 'agent.config-file',
    title: 'the configuration file can be used',
    why: 'The agent follows its file. One with mistakes changes nothing while it runs, and is the end of it when it is started again.',
    mend: 'What is named, in the values of the chart or the ConfigMap; `berth validate FILE` names every mistake.',
    of: always,
    read: readViews,
    judge: judgeFile,
  }),
  probe({
    id: 'agent.config-pending',
    title: 'the agent runs with what its configuration file says',
    why: 'Some fields are taken over while the agent runs ([install.md](install.md#changing-the-configuration)); the others wait for its next start.',
    mend: '`kubectl -n berth-system rollout restart daemonset/berth`, or the ConfigMap as it was.',
    of: always,
    read: readViews,
    judge: judgePending,
  }),
];
