// The door of the command line. Node keeps what it made of our TypeScript between starts: a start takes two thirds of the
// time and 30 MB less memory; bin/dragoman has it keep this file too.
import { enableCompileCache } from 'node:module';

enableCompileCache();
// Whoever reads us may stop reading (`dragoman status | head`): that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
await import('./program.ts');
