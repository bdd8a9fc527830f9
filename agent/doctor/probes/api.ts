/** Probes for the Kubernetes API: whether it answers, what time it has, and as whom we ask. */
import { asBerthError, BerthError } from '../../../kit/errors.ts';
import type { ApiAnswer } from '../api.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { always, probe } from '../probe.ts';
import type { Probe } from '../probe.ts';

type Reach =
  | { readonly answer: ApiAnswer; readonly askedAt: number; readonly answeredAt: number }
  /** `server` is its host and port, undefined where that is not known. */
  | { readonly error: BerthError; readonly server: string | undefined };

/** Milliseconds, less than a probe has: a firewall that drops packets is a finding of its own. */
const patience = 3_000;

/** Asks once for all probes; none of the others waits for a server that does not answer. */
async function reach({ api, once, signal }: DoctorContext): Promise<Reach> {
  return await once('api', async () => {
    const server = await api.server().catch(() => undefined);
    const late = AbortSignal.timeout(patience);
    const askedAt = Date.now();
    try {
      const answer = await api.ask('GET', '/version', AbortSignal.any([signal, late]));
      return { answer, askedAt, answeredAt: Date.now() };
    } catch (error) {
      const silent = `the Kubernetes API at ${server ?? ''} does not answer within ${patience / 1_000} s`;
      return { error: late.aborted ? new BerthError('UNAVAILABLE', silent) : asBerthError(error), server };
    }
  });
}

/** Throws, for the probes that need an answer, when there is none. */
export async function assertReached(context: DoctorContext): Promise<void> {
  const reached = await reach(context);
  if ('error' in reached) throw new BerthError('UNAVAILABLE', 'the API is not reached: see api.reachable');
}

function judgeReach(reached: Reach): Verdict {
  if ('error' in reached) {
    const { code, message } = reached.error;
    const evidence = { what: message, from: 'GET /version' };
    // On a node outside of a pod nobody says where the API is.
    if (code === 'FAILED_PRECONDITION')
      return unknown(message, 'kubectl -n berth-system exec POD -- berth doctor, or set agent.kubeconfig', evidence);
    return failure(message, wayTo(reached.server ?? '', reached.error.cause), evidence);
  }
  const { status, object, what } = reached.answer;
  const version = textOf(object?.['gitVersion']);
  const evidence = { what: `${status} ${version}`, from: what };
  return status === 200 ? pass(`Kubernetes ${version}`, evidence) : judgeRefusal(status, object, evidence);
}

function judgeRefusal(status: number, object: ApiAnswer['object'], evidence: { what: string; from: string }): Verdict {
  if (status === 401)
    return failure(
      'the API server does not accept the token (401)',
      'kubectl -n berth-system rollout restart daemonset/berth makes a new one; a certificate of agent.kubeconfig may have ended',
      evidence,
    );
  return failure(
    `the API server answers ${status}: ${textOf(object?.['message'])}`,
    'kubectl apply -f daemonset/rbac.yaml gives the service account its rights',
    evidence,
  );
}

const setClock = 'timedatectl set-ntp true; chronyc makestep sets it at once';

/** What to do when it is not reached; of TLS the cause tells that the times do not agree. */
function wayTo(server: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'CERT_NOT_YET_VALID') return setClock;
  if (code === 'CERT_HAS_EXPIRED')
    return `${setClock}; if date -u is right, renew the certificate of the API server (kubeadm certs renew apiserver)`;
  return `curl -k https://${server}/version from the node; kube-proxy and the firewall between this node and the API server`;
}

/** Seconds. Beyond the second certificates and tokens are taken for ended, or not yet begun. */
const [noticeable, harmful] = [5, 60];

function judgeClock(reached: Reach): Verdict {
  if ('error' in reached || Number.isNaN(reached.answer.date))
    return unknown('the API server tells no time: see api.reachable');
  const { answer, askedAt, answeredAt } = reached;
  // The header has whole seconds, and the request took its time.
  const [early, late] = [(askedAt - answer.date) / 1_000 - 1, (answeredAt - answer.date) / 1_000];
  const off = early > 0 ? early : late < 0 ? late : 0;
  const evidence = {
    what: `Date: ${new Date(answer.date).toISOString()}, here ${new Date(answeredAt).toISOString()}`,
    from: answer.what,
  };
  const text = `this node's clock is ${Math.abs(Math.round(off))} s ${off > 0 ? 'ahead of' : 'behind'} the API server's`;
  if (Math.abs(off) >= harmful) return failure(text, setClock, evidence);
  if (Math.abs(off) >= noticeable) return warning(text, setClock, evidence);
  return pass("the clock is the API server's", evidence);
}

function judgeIdentity({ status, object, what }: ApiAnswer): Verdict {
  if (status !== 201 && status !== 200) return judgeRefusal(status, object, { what: String(status), from: what });
  const name = userOf(object);
  return pass(`asked as ${name}`, { what: name, from: what });
}

const reviewPath = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

/** What the API server has of the group of BerthNodes; everybody who is known to it may ask. */
const groupPath = '/apis/berth.dev/v1alpha1';

function judgeBerthNodes({ status, object, what }: ApiAnswer): Verdict {
  const resources = (object?.['resources'] ?? []) as readonly { readonly name?: unknown }[];
  const isServed = status === 200 && resources.some(({ name }) => name === 'berthnodes');
  if (isServed) return pass('the cluster has BerthNodes', { what: 'berthnodes', from: what });
  const evidence = { what: `${status} ${textOf(object?.['message'])}`.trim(), from: what };
  if (status !== 404 && status !== 200) return judgeRefusal(status, object, evidence);
  return failure(
    'the CRD berthnodes.berth.dev is not installed, so this node tells the cluster nothing of itself: kubectl get berthnodes knows no node',
    'kubectl apply -f daemonset/crds/berthnodes.yaml; each agent writes its own within five minutes',
    evidence,
  );
}

/** As whom the API server knows us. */
export async function whoAmI(context: DoctorContext): Promise<ApiAnswer> {
  await assertReached(context);
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  return await context.once('identity', () => context.api.ask('POST', reviewPath, context.signal, review));
}

/** The name in such an answer; empty where there is none. */
export function userOf(object: ApiAnswer['object']): string {
  const { userInfo } = (object?.['status'] ?? {}) as { readonly userInfo?: { readonly username?: unknown } };
  return textOf(userInfo?.username);
}

/** A text of an answer; what is none counts as empty. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export const apiProbes: readonly Probe[] = [
  probe({
    id: 'api.reachable',
    title: 'the Kubernetes API answers',
    why: 'Pods of other nodes are found there, and claims become volumes. What runs goes on without it.',
    mend: 'The way from this node to the API server: kube-proxy, firewalls, DNS; or the NodeConfig key `agent.kubeconfig`.',
    of: always,
    read: reach,
    judge: judgeReach,
  }),
  probe({
    id: 'api.clock',
    title: "the node's clock is the API server's",
    why: `Certificates and tokens have times. From ${noticeable} s on it is a warning, from ${harmful} s a failure.`,
    mend: '`timedatectl set-ntp true`, or another time service; `chronyc makestep` sets the clock at once.',
    of: always,
    read: reach,
    judge: judgeClock,
  }),
  probe({
    id: 'api.identity',
    title: 'the API server accepts the token',
    why: 'Tokens are bound to the pod and renewed by the kubelet; one of a deleted service account is refused.',
    mend: '`kubectl -n berth-system rollout restart daemonset/berth`',
    of: always,
    read: whoAmI,
    judge: judgeIdentity,
  }),
  probe({
    id: 'api.berthnode',
    title: 'the cluster has BerthNodes',
    why: 'The agent writes there how its node is, for `kubectl get berthnodes` and `kubectl berth status`. Without the CRD pods have all they need, and nobody is told of a node that is not well.',
    mend: '`kubectl apply -f daemonset/crds/berthnodes.yaml`, or `helm upgrade`; each agent writes its own within five minutes.',
    of: always,
    read: async (context) => {
      await assertReached(context);
      return await context.api.ask('GET', groupPath, context.signal);
    },
    judge: judgeBerthNodes,
  }),
];
