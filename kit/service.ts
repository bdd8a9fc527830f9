/** What the agent runs: a service starts, tells whether it is ready and why not, and stops after finishing its calls. */

type Answers = readonly object[] | Promise<readonly object[]>;

/**
 * Lists of a service for people and programs to look at, by name; each value can be written as JSON. `of` names what a view is
 * about that is about one thing; it is empty when nobody named anything. Of services that have the same view all are shown.
 */
export type Views = Readonly<Record<string, (of: string) => Answers>>;

/** What an administrator can have a service do, by name; the answer is what has changed. Throws a BerthError that says why not. */
export type Actions = Readonly<Record<string, (of: string) => Answers>>;

export interface Service {
  /** Short name in logs, metrics and `/readyz`: `network`, `devices`, `storage`. */
  readonly name: string;
  /**
   * Resolves when the service serves; throws a BerthError when it cannot. The agent then reports it and tries again with
   * back-off, so a start that failed half-way has undone what it did. `signal` ends a start that waits.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Takes no new calls, finishes those in flight until `deadline` fires, releases what start took. Never throws. */
  stop(deadline: AbortSignal): Promise<void>;
  /** Undefined when the service does its work now, else the reason as a sentence for `/readyz`. */
  notReady(): string | undefined;
  /** What `berth get` can show of it. */
  readonly views?: Views;
  /** What commands such as `berth undelete` can have it do. */
  readonly actions?: Actions;
}
