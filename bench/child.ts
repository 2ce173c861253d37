// A peer of the bench as a child process, and what the system says of any process.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Load, Report } from './peers/peer.ts';

interface Answer {
  answer: string;
  port?: number;
  report?: Report;
}

export class Peer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(file: string, ...args: number[]): Promise<Peer> {
    const child = fork(join(import.meta.dirname, 'peers', file), args.map(String));
    const [{ port = 0 }] = (await once(child, 'message')) as [Answer];
    return new Peer(child, port);
  }

  async pour(load: Load): Promise<void> {
    await this.#ask({ ask: 'pour', load });
  }

  reset(): Promise<unknown> {
    return this.#ask({ ask: 'reset' });
  }

  async report(): Promise<Report> {
    const { report } = await this.#ask({ ask: 'report' });
    return report as Report;
  }

  /** Resolves with the report once `count` have arrived; rejects when nothing more comes for 15 s. */
  async untilArrived(count: number): Promise<Report> {
    let before = -1;
    for (let still = 0; still < 300; still++) {
      const report = await this.report();
      if (report.count >= count) return report;
      if (report.count !== before) still = 0;
      before = report.count;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${before} of ${count} arrived`);
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #ask(question: { ask: string; load?: Load }): Promise<Answer> {
    const answered = new Promise<Answer>((resolve) => {
      const listen = (answer: Answer) => {
        if (answer.answer !== question.ask) return;
        this.#child.off('message', listen);
        resolve(answer);
      };
      this.#child.on('message', listen);
    });
    this.#child.send(question);
    return answered;
  }
}

/** Microseconds of processor time a process has used (user and system). */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory of a process in MB. */
export function rssOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1000);
}
