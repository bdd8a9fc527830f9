// Least privilege: what the agents and their sidecars asked the API server for in the whole run, against what they are allowed.
import { expect, test } from 'vitest';
import { auditLog } from '../../cluster/controlplane.ts';
import { useCluster } from '../../cluster/cluster.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { clusterName } from './setup.ts';

const cluster = useCluster(clusterName);
const account = 'berth';

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Binding {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly name: string; readonly namespace?: string }[];
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `patch nodes/status`, `get leases.coordination.k8s.io/…`: one right, or one use of it. */
function rightText(verb: string, group: string, resource: string, name = ''): string {
  const [kind = '', sub] = resource.split('/');
  const full = `${kind}${group === '' ? '' : `.${group}`}${sub === undefined ? '' : `/${sub}`}`;
  return `${verb} ${full}${name === '' ? '' : ` ${name}`}`;
}

async function objects<T>(kind: string): Promise<readonly T[]> {
  return (JSON.parse(await kubectl(cluster, ['get', kind, '-A', '-o', 'json'])) as { items: readonly T[] }).items;
}

/** Every single right of the service account, by the role that gives it, and the names of these roles and of their bindings. */
async function allowed(): Promise<{
  readonly rights: ReadonlyMap<string, string>;
  readonly names: ReadonlySet<string>;
}> {
  const bindings = [...(await objects<Binding>('rolebindings')), ...(await objects<Binding>('clusterrolebindings'))];
  const ours = bindings.filter(({ subjects = [] }) =>
    subjects.some(({ name, namespace }) => name === account && namespace === berthNamespace),
  );
  const rights = new Map<string, string>();
  for (const { metadata, roleRef } of ours) {
    const at = roleRef.kind === 'Role' ? ['-n', metadata.namespace ?? berthNamespace] : [];
    const answer = await kubectl(cluster, ['get', roleRef.kind.toLowerCase(), roleRef.name, ...at, '-o', 'json']);
    for (const rule of (JSON.parse(answer) as { rules: readonly Rule[] }).rules)
      for (const verb of rule.verbs)
        for (const group of rule.apiGroups ?? [])
          for (const resource of rule.resources ?? [])
            for (const name of rule.resourceNames ?? [''])
              rights.set(rightText(verb, group, resource, name), roleRef.name);
  }
  return { rights, names: new Set(ours.flatMap(({ metadata, roleRef }) => [metadata.name, roleRef.name])) };
}

async function audited(): Promise<readonly AuditEvent[]> {
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error('the cluster has no node');
  const { stdout } = await first.exec(['cat', auditLog]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent);
}

/** What the agents' and sidecars' own programs asked for; tests that use a stolen token do it with others. */
function isOurs({ user, userAgent = '' }: AuditEvent): boolean {
  return user.username === `system:serviceaccount:${berthNamespace}:${account}` && /^(berth|csi-)/.test(userAgent);
}

/** How long the API server may take to follow a change of rights, in milliseconds. */
const followingMs = 5_000;

/** How long after its start it may serve before it first asks which rights there are, in milliseconds. */
const startingMs = 2_000;

/** It asks with a list, or a watch that begins with one; later it only renews the watch. */
function isStart({ user, verb, requestURI, objectRef: { resource } = {} }: AuditEvent): boolean {
  if (user.username !== 'system:apiserver' || resource !== 'clusterrolebindings') return false;
  return verb === 'list' || requestURI.includes('sendInitialEvents=true');
}

/**
 * Whether all rights were there then, and known: some tests take the roles or their bindings away, to see what is said of it or with
 * all of Berth, and give them back; others restart the API server. `names` are those of the roles and bindings.
 */
function hadRights(all: readonly AuditEvent[], names: ReadonlySet<string>): (event: AuditEvent) => boolean {
  const gone = new Map<string, number>();
  const spans: { readonly from: number; readonly to: number }[] = [];
  for (const event of all) {
    const { verb, objectRef: { apiGroup, resource, name = '' } = {}, requestReceivedTimestamp } = event;
    if (isStart(event)) {
      const at = Date.parse(requestReceivedTimestamp);
      spans.push({ from: at - startingMs, to: at + followingMs });
    }
    if (apiGroup !== 'rbac.authorization.k8s.io' || !names.has(name)) continue;
    const [which, at] = [`${resource ?? ''}/${name}`, Date.parse(requestReceivedTimestamp)];
    const from = gone.get(which);
    if (verb === 'delete') gone.set(which, from ?? at);
    else if (from !== undefined) {
      spans.push({ from, to: at + followingMs });
      gone.delete(which);
    }
  }
  return ({ requestReceivedTimestamp }) => {
    const at = Date.parse(requestReceivedTimestamp);
    return !spans.some(({ from, to }) => from <= at && at <= to);
  };
}

test('nothing is allowed that nobody used, and nothing was refused', async (context) => {
  if (process.env['BERTH_TEST_WHOLE'] !== 'yes')
    context.skip('it looks at what all other tests had the agents do, so it needs the whole run: npm test');
  const { rights, names } = await allowed();
  const all = await audited();
  const events = all.filter(isOurs);
  const used = new Set(
    events.flatMap(({ verb, objectRef: { apiGroup = '', resource = '', subresource, name = '' } = {} }) => {
      const what = subresource === undefined ? resource : `${resource}/${subresource}`;
      return [rightText(verb, apiGroup, what), rightText(verb, apiGroup, what, name)];
    }),
  );
  // The sidecars stream their lists, and list only where an API server cannot do that: before Kubernetes 1.34.
  const isUsed = (right: string): boolean => used.has(right) || used.has(right.replace(/^list /, 'watch '));
  const unused = [...rights].filter(([right]) => !isUsed(right)).map(([right, role]) => `${role}: ${right}`);
  const had = hadRights(all, names);
  const refused = events
    .filter((event) => event.annotations?.['authorization.k8s.io/decision'] === 'forbid' && had(event))
    .map(({ verb, requestURI, userAgent, requestReceivedTimestamp }) => [
      `${userAgent}: ${verb} ${requestURI}`,
      requestReceivedTimestamp,
    ]);
  // Each once, with the time of its last.
  expect({ unused, refused: Object.fromEntries(refused) as unknown }).toEqual({ unused: [], refused: {} });
});
