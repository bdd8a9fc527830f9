/** Whether the scheduler lets a pod onto a node by what both say of each other: selectors, affinity, taints. Pure. */
import type { LabelRequirement, NodeObject, NodeSelectorTerm, PodSpec, Taint, Toleration } from './objects.ts';

/** Why the pod's selector or required affinity keeps it from the node; undefined when they do not. */
export function matchesNode({ nodeSelector = {}, affinity }: PodSpec, node: NodeObject): string | undefined {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(nodeSelector))
    if (labels[key] !== value) {
      const has = labels[key] === undefined ? 'has no such label' : `has ${key}=${labels[key]}`;
      return `${has}; the pod's nodeSelector asks for ${key}=${value}`;
    }
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || matchesTerms(terms, node) ? undefined : "does not fit the pod's node affinity";
}

/** Whether one of the terms fits; none of them, when there are none. */
export function matchesTerms(terms: readonly NodeSelectorTerm[], node: NodeObject): boolean {
  const labels = node.metadata.labels ?? {};
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    const fields = { 'metadata.name': node.metadata.name };
    return matchExpressions.every((each) => fits(each, labels)) && matchFields.every((each) => fits(each, fields));
  });
}

function fits({ key, operator, values = [] }: LabelRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return Number(value) > Number(values[0]);
    case 'Lt':
      return Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** The taints that keep a pod with these tolerations away. */
export function untolerated(taints: readonly Taint[], tolerations: readonly Toleration[]): readonly Taint[] {
  const keeping = taints.filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute');
  return keeping.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
}

function tolerates({ key = '', operator = 'Equal', value = '', effect = '' }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key === '') return operator === 'Exists';
  return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''));
}
