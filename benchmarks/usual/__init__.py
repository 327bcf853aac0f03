"""How the program fares where most users live: a few mails a second, or none."""
