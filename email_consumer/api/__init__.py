"""The HTTP side: mail taken in and scheduled, topics and their numbers, what operators ask."""
