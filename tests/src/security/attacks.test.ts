// The quick attack programs; attacks.long.test.ts has the slow ones.
import { attackTests } from './attack-suite.js';

attackTests('quick');
