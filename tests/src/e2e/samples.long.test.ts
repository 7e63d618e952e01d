// Sample programs through the socket: the rest of each tested language's.
import { sampleTests } from './sample-suite.js';

sampleTests('rest');
