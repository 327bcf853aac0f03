"""Kill it at any moment, any number of times: what is lost, what is doubled, counted where it counts: at SES."""
