# Completion of collective-sim for fish.

function __collective_sim_scenarios
	set -l program (commandline -opc)[1]
	$program list 2>/dev/null | string replace -r ' .*' ''
end

complete -c collective-sim -f
complete -c collective-sim -l seed -x -d 'with this seed'
complete -c collective-sim -l seeds -x -d 'with the seeds from A to B, as in 1..100'
complete -c collective-sim -l jobs -x -d 'so many runs at a time'
complete -c collective-sim -l trace -r -F -d 'write what happened'
complete -c collective-sim -l out -r -F -d 'where to write'
complete -c collective-sim -l without -x -a "(printf 'P%d\n' (seq 13) 15)" -d 'do not look at these properties'
complete -c collective-sim -l sites -x -d 'the largest collective of a sweep'
complete -c collective-sim -l json -d 'one JSON object a line'
complete -c collective-sim -s h -l help -d 'explain, and do nothing'
complete -c collective-sim -s V -l version -d 'print the version'

complete -c collective-sim -n __fish_use_subcommand -a list -d 'print the scenarios and what they claim'
complete -c collective-sim -n __fish_use_subcommand -a run -d 'run a scenario with its seeds'
complete -c collective-sim -n __fish_use_subcommand -a replay -d 'run a failure again, and say whether it fails as it did'
complete -c collective-sim -n __fish_use_subcommand -a shrink -d 'make a failure as small as can be'
complete -c collective-sim -n __fish_use_subcommand -a sweep -d 'draw curves over sites, loss and delay'
complete -c collective-sim -n __fish_use_subcommand -a version -d 'print the version'
complete -c collective-sim -n __fish_use_subcommand -a help -d 'explain a command'

complete -c collective-sim -n '__fish_seen_subcommand_from help' -a 'list run replay shrink sweep version'

complete -c collective-sim -n '__fish_seen_subcommand_from run' -a '(__collective_sim_scenarios)' -d scenario
complete -c collective-sim -n '__fish_seen_subcommand_from run replay shrink' -F
