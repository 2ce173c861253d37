// The door of the command line.

// Whoever reads us may stop reading (`dragoman status | head`): that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
await import('./program.ts');
