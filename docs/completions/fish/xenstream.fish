complete --keep-order --exclusive --command xenstream --arguments "(XENSTREAM_COMPLETE=fish xenstream -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
