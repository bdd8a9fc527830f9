/** Work that looks at the whole state: it runs once at a time, and calls during a run lead to one more run, not to many. */

/** Returns a function that runs `work`, or lets the running one be followed by another. It resolves when all is done. */
export function coalesce(work: () => Promise<void> | void): () => Promise<void> {
  let again = false;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      running = undefined;
    }
  };
  return () => {
    again = true;
    return (running ??= run());
  };
}
