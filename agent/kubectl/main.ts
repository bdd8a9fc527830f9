/** `kubectl-berth` as a file of its own: only the client for a whole cluster, for a user's machine. */
import { runClient } from './client.ts';

process.exitCode = await runClient(process.argv.slice(2), process.env);
