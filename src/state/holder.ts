// Who holds a lease, in a form that another process of the same machine can look up: a gateway that is started again after
// it was killed need not wait until the lease of its dead self runs out.
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * A process, named so that no other ever has the name: the boot of its machine, its namespace of process ids, its id and
 * when it began (Linux, proc(5)). Empty where the system does not say, or no such process lives.
 */
export function holderOf(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22, counted behind the name, which may hold spaces.
    const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot} ${readlinkSync('/proc/self/ns/pid')} ${pid} ${startedAt}`;
  } catch {
    return '';
  }
}

/** True only where this machine could see that process and it is no more. */
export function isGone(holder: string): boolean {
  const [boot, namespace, pid] = holder.split(' ');
  const [ourBoot, ourNamespace] = holderOf(process.pid).split(' ');
  if (boot === '' || boot !== ourBoot || namespace !== ourNamespace) return false;
  const now = holderOf(Number(pid));
  // Where proc hides other users' processes, a signal still tells whether there is one.
  return now === '' ? !isThere(Number(pid)) : now !== holder;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
