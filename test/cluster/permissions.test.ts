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

/** Every single right of the service account, by the role that gives it. */
async function allowed(): Promise<ReadonlyMap<string, string>> {
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
  return rights;
}

/** What was asked for by the agents' and sidecars' own programs; tests that use a stolen token do it with others. */
async function asked(): Promise<readonly AuditEvent[]> {
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error('the cluster has no node');
  const { stdout } = await first.exec(['cat', auditLog]);
  return stdout
    .split('\n')
    .filter((line) => line.includes(`"system:serviceaccount:${berthNamespace}:${account}"`))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ userAgent = '' }) => /^(berth|csi-)/.test(userAgent));
}

test('nothing is allowed that nobody used, and nothing was refused', async (context) => {
  if (process.env['BERTH_TEST_WHOLE'] !== 'yes')
    context.skip('it looks at what all other tests had the agents do, so it needs the whole run: npm test');
  const rights = await allowed();
  const events = await asked();
  const used = new Set(
    events.flatMap(({ verb, objectRef: { apiGroup = '', resource = '', subresource, name = '' } = {} }) => {
      const what = subresource === undefined ? resource : `${resource}/${subresource}`;
      return [rightText(verb, apiGroup, what), rightText(verb, apiGroup, what, name)];
    }),
  );
  // The sidecars stream their lists, and list only where an API server cannot do that: before Kubernetes 1.34.
  const isUsed = (right: string): boolean => used.has(right) || used.has(right.replace(/^list /, 'watch '));
  expect([...rights].filter(([right]) => !isUsed(right)).map(([right, role]) => `${role}: ${right}`)).toEqual([]);
  const refused = events.filter(({ annotations }) => annotations?.['authorization.k8s.io/decision'] === 'forbid');
  expect([...new Set(refused.map(({ verb, requestURI, userAgent }) => `${userAgent}: ${verb} ${requestURI}`))]).toEqual(
    [],
  );
});
