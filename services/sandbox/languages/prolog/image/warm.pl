% Loaded as the init file (-f): libraries that nearly every program loads by itself at the first use. Their names stay where they were.
:- load_files([ library(lists), library(apply), library(error), library(readutil), library(option), library(pairs), library(main),
                library(dcg/basics), library(prolog_stack), library(ansi_term)
              ], [if(not_loaded), imports([])]).

% What is printed shows at the end of its goal, as on a terminal: a prompt before its answer is read.
:- set_stream(user_output, buffer(false)).
