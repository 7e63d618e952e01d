// Sample programs through the socket: a few of each tested language.
import { sampleTests } from './sample-suite.js';

sampleTests('quick');
