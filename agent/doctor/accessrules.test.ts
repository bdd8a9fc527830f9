import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { accessRules } from './accessrules.ts';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** One line for each right: who, where, what. */
async function granted(): Promise<readonly string[]> {
  const text = await readFile(new URL('../../daemonset/rbac.yaml', import.meta.url), 'utf8');
  const roles = parseAllDocuments(text).map((document) => document.toJS() as Role);
  return roles
    .flatMap(({ kind, metadata, rules = [] }) =>
      rules.flatMap(({ apiGroups, resources, resourceNames = [], verbs }) =>
        apiGroups.flatMap((group) =>
          resources.map((resource) =>
            [
              metadata.name.replace(/^berth-/, ''),
              kind === 'Role',
              group,
              resource,
              verbs.join(),
              resourceNames.join(),
            ].join(' '),
          ),
        ),
      ),
    )
    .sort();
}

test('the doctor asks for the rights that daemonset/rbac.yaml gives, and for no other', async () => {
  const asked = accessRules.map(({ who, namespaced = false, group, resource, verbs, names = [] }) =>
    [who.replace('csi-', ''), namespaced, group, resource, verbs.join(), names.join()].join(' '),
  );
  expect(asked.toSorted(), 'change agent/doctor/accessrules.ts with daemonset/rbac.yaml').toEqual(await granted());
});
