/** Probes for what the service account may do at the Kubernetes API, and for what keeps it to its own node. */
import { join } from 'node:path';
import { BerthError } from '../../../kit/errors.ts';
import { accessRules } from '../accessrules.ts';
import type { AccessRule } from '../accessrules.ts';
import type { ApiAnswer } from '../api.ts';
import { onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { always, probe } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { readText } from '../reading.ts';
import { assertReached, textOf, userOf, whoAmI } from './api.ts';

/** One question to the API server about one verb. */
interface Question {
  readonly rule: AccessRule;
  readonly verb: string;
  readonly name: string | undefined;
}

interface RulesSnapshot {
  readonly refused: readonly Question[];
  readonly asked: number;
}

async function readRules(context: DoctorContext): Promise<RulesSnapshot> {
  await assertReached(context);
  const { api, config, thorough, signal } = context;
  const needed = accessRules.filter(({ who }) => who === 'agent' || (thorough && config.storage !== undefined));
  const questions = needed.flatMap((rule) =>
    rule.verbs.flatMap((verb) => (rule.names ?? [undefined]).map((name): Question => ({ rule, verb, name }))),
  );
  const folder = onHost(context, '/var/run/secrets/kubernetes.io/serviceaccount');
  const namespace = (await readText(join(folder, 'namespace'))) ?? 'berth-system';
  const refused: Question[] = [];
  for (const question of questions) {
    const { rule, verb, name } = question;
    const [resource, subresource] = rule.resource.split('/');
    const attributes = { group: rule.group, resource, subresource, verb, name, ...(rule.namespaced && { namespace }) };
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: attributes },
    };
    const { status, object } = await api.ask(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      signal,
      review,
    );
    if (status !== 201 && status !== 200)
      throw new BerthError('UNAVAILABLE', `the API server does not review access (${status})`);
    const { allowed } = (object?.['status'] ?? {}) as { readonly allowed?: unknown };
    if (allowed !== true) refused.push(question);
  }
  return { refused, asked: questions.length };
}

function judgeRules({ refused, asked }: RulesSnapshot): Verdict {
  const from = 'SelfSubjectAccessReview';
  if (refused.length === 0) return pass(`all ${asked} rights are there`, { what: `${asked} allowed`, from });
  const texts = refused.map(
    ({ rule, verb, name }) =>
      `${verb} ${rule.resource}${rule.group === '' ? '' : `.${rule.group}`}${name === undefined ? '' : `/${name}`} (${rule.who})`,
  );
  return failure(
    `the service account may not ${texts.slice(0, 5).join(', ')}${texts.length > 5 ? ` and ${texts.length - 5} more` : ''}`,
    'kubectl apply -f daemonset/rbac.yaml',
    ...texts.map((what) => ({ what, from })),
  );
}

interface PolicySnapshot {
  readonly user: string;
  readonly answer: ApiAnswer | undefined;
}

/** Tries, without doing it, what the policies are to refuse: a condition that is not the agent's. */
async function readPolicies(context: DoctorContext): Promise<PolicySnapshot> {
  const { object } = await whoAmI(context);
  const user = userOf(object);
  const { nodeName, api, signal } = context;
  if (nodeName === undefined || !user.startsWith('system:serviceaccount:')) return { user, answer: undefined };
  const condition = { type: 'BerthDoctorTrial', status: 'Unknown', reason: 'Trial', message: 'never written' };
  const path = `/api/v1/nodes/${encodeURIComponent(nodeName)}/status?dryRun=All`;
  return { user, answer: await api.ask('PATCH', path, signal, { status: { conditions: [condition] } }) };
}

function judgePolicies({ user, answer }: PolicySnapshot): Verdict {
  const fix = 'kubectl apply -k daemonset/policies (Kubernetes 1.32 or newer)';
  if (answer === undefined)
    return unknown(
      `the policies are for the agent's service account, and this is ${user}`,
      'kubectl get validatingadmissionpolicybindings',
    );
  const { status, object, what } = answer;
  const said = textOf(object?.['message']);
  const evidence = { what: `${status} ${said}`.trim(), from: `${what} (dry run)` };
  if (status === 200)
    return warning('an agent may write about its Node what is not its own: the policies are not bound', fix, evidence);
  if (said.includes('ValidatingAdmissionPolicy')) return pass('the policies hold', evidence);
  return unknown(`the trial was refused by something else (${status})`, fix, evidence);
}

export const apiRightProbes: readonly Probe[] = [
  probe({
    id: 'api.rules',
    title: 'the service account has its rights',
    why: 'Each right of daemonset/rbac.yaml is asked for by a SelfSubjectAccessReview: those of the agent, and from the command line those of its sidecars too.',
    mend: '`kubectl apply -f daemonset/rbac.yaml`: it changes nothing else of an installation, whether by Helm or not.',
    of: always,
    read: readRules,
    judge: judgeRules,
  }),
  probe({
    id: 'api.policies',
    title: 'the policies hold the agent to its own node',
    why: 'RBAC cannot say "its own node"; ValidatingAdmissionPolicies do. The agent tries in a dry run what they refuse, for it may not read them.',
    mend: '`kubectl apply -k daemonset/policies`',
    of: always,
    read: readPolicies,
    judge: judgePolicies,
  }),
];
