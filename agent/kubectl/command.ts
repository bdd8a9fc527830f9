/** What every command of the client for a cluster is given: the user's kubectl, where to look, and how to print. */
import type { Kubectl } from './kubectl.ts';
import type { Paint } from './style.ts';

export const clusterOutputs = ['wide', 'json', 'yaml', 'name'] as const;
export type ClusterOutput = (typeof clusterOutputs)[number];

export interface Session {
  readonly kubectl: Kubectl;
  /** Where agents are looked for when the user may not look everywhere. */
  readonly berthNamespace: string;
  /** Of `-n`, or of the kubeconfig's context. */
  namespace(): Promise<string>;
  readonly allNamespaces: boolean;
  readonly output: ClusterOutput | undefined;
  readonly noHeaders: boolean;
  /** For standard output. */
  readonly paint: Paint;
  readonly now: number;
  print(text: string): void;
  /** A sentence on standard error, as it is. */
  tell(sentence: string): void;
}

/** `error: …`, as kubectl says it. */
export function tellError(session: Pick<Session, 'tell'>, sentence: string): void {
  session.tell(`error: ${sentence}`);
}
