// The words of rich presence: RFC 4480 s.3.2 (activities) and s.3.7 (moods). Others are written as <rpid:other/>.

export const activityWords: ReadonlySet<string> = new Set(
  (
    'appointment away breakfast busy dinner holiday in-transit looking-for-work meal meeting on-the-phone performance ' +
    'permanent-absence playing presentation shopping sleeping spectator steering travel tv vacation working worship'
  ).split(' '),
);

export const moodWords: ReadonlySet<string> = new Set(
  (
    'afraid amazed angry annoyed anxious ashamed bored brave calm cold confused contented cranky curious depressed ' +
    'disappointed disgusted distracted embarrassed excited flirtatious frustrated grumpy guilty happy hot humbled ' +
    'humiliated hungry hurt impressed in_awe in_love indignant interested invincible jealous lonely mean moody nervous ' +
    'neutral offended playful proud relieved remorseful restless sad sarcastic serious shocked shy sick sleepy stressed ' +
    'surprised thirsty worried'
  ).split(' '),
);
